#include "core/live_line.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/visible.hpp"
#include "core/width.hpp"

namespace tgd::detail {

std::string clock_text(double seconds) {
  const auto whole = static_cast<long>(seconds);
  const long hours = whole / 3600;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, whole / 60 % 60, whole % 60)
                   : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string rate_text(double count, double seconds) {
  if (count <= 0 || seconds <= 0) return {};
  struct Unit {
    double seconds;
    const char* name;
  };
  for (const auto& [length, name] : {Unit{1, "s"}, Unit{60, "min"}}) {
    const double rate = count / seconds * length;
    if (rate >= 1) return rate < 9.95 ? fmt::format("{:.1f}/{}", rate, name) : fmt::format("{:.0f}/{}", rate, name);
  }
  return fmt::format("{:.1f}/h", count / seconds * 3600);
}

double seconds_left(double done, double total, double seconds) {
  if (done <= 0 || total <= done) return -1;
  return seconds / done * (total - done);
}

std::string fitted_line(std::span<const std::string> pieces, std::size_t columns) {
  std::string line;
  for (const std::string& given : pieces) {
    std::string piece = visible(given);
    std::replace(piece.begin(), piece.end(), '\n', ' ');
    std::replace(piece.begin(), piece.end(), '\t', ' ');
    if (line.empty()) {
      line = fitted(piece, columns);
    } else if (!piece.empty() && display_width(line) + 2 + display_width(piece) <= columns) {
      line += "  " + piece;
    }
  }
  return line;
}

/// A line that was drawn in a wider window stands on several lines of it now.
std::string LiveLine::erasure() const {
  std::string text = "\r\033[K";
  const std::size_t columns = std::max<std::size_t>(columns_(), 1);
  for (std::size_t rest = shown_; rest > columns; rest -= columns) text += "\033[A\033[K";
  return text;
}

void LiveLine::show(std::span<const std::string> pieces) {
  const std::string line =
      fitted_line(pieces, std::max<std::size_t>(columns_(), 2) - 1);  // a full line would begin the next one
  write_(erasure() + line);
  shown_ = display_width(line);
}

void LiveLine::clear() {
  if (shown_ == 0) return;
  write_(erasure());
  shown_ = 0;
}

}  // namespace tgd::detail
