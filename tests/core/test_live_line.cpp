#include "core/live_line.hpp"

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "core/width.hpp"

using namespace tgd::detail;

namespace {

using Pieces = std::vector<std::string>;

/// What a terminal shows that wraps long lines anew when its window changes, as most do.
class Screen {
 public:
  explicit Screen(std::size_t columns) : columns_(columns) {}

  void write(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text.substr(i).starts_with("\033[K")) {
        lines_.back().clear();
        i += 2;
      } else if (text.substr(i).starts_with("\033[A")) {
        REQUIRE(lines_.size() > 1);
        lines_.pop_back();
        i += 2;
      } else if (text[i] == '\n') {
        lines_.emplace_back();
      } else if (text[i] != '\r') {
        if (display_width(lines_.back()) == columns_) lines_.emplace_back();
        lines_.back() += text[i];
      }
    }
  }

  void resize(std::size_t columns) {
    columns_ = columns;
    Pieces wrapped;
    for (const std::string& line : lines_) {
      std::string rest = line;
      do {
        wrapped.push_back(rest.substr(0, columns));
        rest.erase(0, columns);
      } while (!rest.empty());
    }
    lines_ = wrapped;
  }

  std::size_t columns() const { return columns_; }
  const Pieces& lines() const { return lines_; }

 private:
  std::size_t columns_;
  Pieces lines_{""};
};

}  // namespace

TEST_CASE("a line of progress has room for what matters most", "[core][text]") {
  const Pieces pieces{"measuring  31/73 calls (42%)", "about 0:12 left", "$0.0031", "8 in flight", "3.1/s"};
  CHECK(fitted_line(pieces, 120) == "measuring  31/73 calls (42%)  about 0:12 left  $0.0031  8 in flight  3.1/s");
  CHECK(fitted_line(pieces, 60) == "measuring  31/73 calls (42%)  about 0:12 left  $0.0031");
  CHECK(fitted_line(pieces, 40) == "measuring  31/73 calls (42%)  $0.0031");
  CHECK(fitted_line(pieces, 12) == "measuring  …");
  for (std::size_t columns = 1; columns < 130; ++columns) CHECK(display_width(fitted_line(pieces, columns)) <= columns);
  CHECK(fitted_line(Pieces{"a\nb\033[2J", "", "c"}, 80) == "a b\\x1b[2J  c");
}

TEST_CASE("times, rates and what is left are told as people say them", "[core][text]") {
  CHECK(clock_text(75.9) == "1:15");
  CHECK(clock_text(3675) == "1:01:15");
  CHECK(rate_text(30, 10) == "3.0/s");
  CHECK(rate_text(300, 10) == "30/s");
  CHECK(rate_text(5, 60) == "5.0/min");
  CHECK(rate_text(1, 3600) == "1.0/h");
  CHECK(rate_text(0, 10).empty());
  CHECK(seconds_left(10, 40, 5) == 15);
  CHECK(seconds_left(0, 40, 5) < 0);
  CHECK(seconds_left(40, 40, 5) < 0);
}

TEST_CASE("one line is redrawn, also in a window that has become narrower", "[core][text]") {
  Screen screen(80);
  LiveLine line([&](std::string_view text) { screen.write(text); }, [&] { return screen.columns(); });
  screen.write("what stays\n");
  const Pieces pieces{"measuring the test part", "31/73 calls", "about 0:12 left", "$0.0031", "8 in flight"};
  line.show(pieces);
  line.show(pieces);
  CHECK(screen.lines() == Pieces{"what stays", "measuring the test part  31/73 calls  about 0:12 left  $0.0031  8 in flight"});
  screen.resize(30);
  CHECK(screen.lines().size() == 4);
  line.show(pieces);
  CHECK(screen.lines() == Pieces{"what stays", "measuring the test part"});
  screen.resize(100);
  line.show(pieces);
  CHECK(screen.lines().back() == fitted_line(pieces, 99));
  line.clear();
  CHECK(screen.lines() == Pieces{"what stays", ""});
  line.clear();
  CHECK(screen.lines().size() == 2);
}
