#include "core/text_file.hpp"

#include <iterator>
#include <string>

#include <tgd/error.hpp>

#include "catch.hpp"
#include "support/process.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using namespace std::string_literals;

namespace {

std::string streamed(const std::filesystem::path& file, const std::string& encoding = {}) {
  const auto in = detail::open_text(file, encoding);
  return {std::istreambuf_iterator<char>(*in), {}};
}

}  // namespace

TEST_CASE("Text files are read as their mark or their zero bytes say", "[core][text_file]") {
  const test::TemporaryFolder folder;
  struct Row {
    std::string bytes;
    std::string text;
  };
  const std::vector<Row> rows = {{"plain é", "plain é"},
                                 {"\xEF\xBB\xBFmarked é", "marked é"},
                                 {"\xFF\xFEh\0i\0\xE9\0"s, "hié"},
                                 {"\xFE\xFF\0h\0i\0\xE9"s, "hié"},
                                 {"h\0i\0!\0"s, "hi!"},
                                 {"\0h\0i\0!"s, "hi!"},
                                 {"\xFF\xFE\0\0h\0\0\0"s, "h"},
                                 {"", ""},
                                 {"x", "x"}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto file = folder.write("text.txt", row.bytes);
    CHECK(detail::read_text_file(file) == row.text);
    CHECK(streamed(file) == row.text);
    CHECK(streamed(file, "ISO-8859-1").size() >= row.text.size());
  }
}

TEST_CASE("Encodings are taken by their names, in pieces of any size", "[core][text_file]") {
  const test::TemporaryFolder folder;
  CHECK(streamed(folder.write("a.txt",
                              "Gr\xFC\xDF"s
                              "e \x80"),
                 "WINDOWS-1252") == "Grüße €");
  CHECK(streamed(folder.write("b.txt", "\xC7\xE0"), "WINDOWS-1251") == "За");
  std::string many;
  std::string expected;
  for (int i = 0; i < 200'000; ++i) {
    many += "\x93\xFA\x96\x7B";
    expected += "日本";
  }
  CHECK(streamed(folder.write("c.txt", "x" + many), "SHIFT_JIS") == "x" + expected);
  CHECK_THROWS_WITH(detail::open_text(folder.write("d.txt", "x"), "NO-SUCH"), ContainsSubstring("\"NO-SUCH\" is not known"));
  CHECK(detail::is_encoding("ISO-8859-1"));
  CHECK_FALSE(detail::is_encoding("NO-SUCH"));
}

TEST_CASE("Bytes that are no text are named with their line", "[core][text_file]") {
  const test::TemporaryFolder folder;
  const auto latin = folder.write("latin.txt",
                                  "one\ntwo\nGr\xFC\xDF"s
                                  "e");
  CHECK_THROWS_WITH(detail::read_text_file(latin), ContainsSubstring("latin.txt:3: this is not UTF-8 text"));
  CHECK(detail::first_line_that_is_no_utf8(latin) == 3);
  CHECK_FALSE(detail::first_line_that_is_no_utf8(folder.write("fine.txt", "é\nü")));
  CHECK_THROWS_WITH(detail::read_text_file(folder.write("half.txt", "\xFF\xFEh\0\n\0\x3D\xD8"s)),
                    ContainsSubstring("half.txt:2: these bytes are no UTF-16LE text"));
  CHECK_THROWS_WITH(streamed(folder.write("odd.txt", "\xFF\xFEh\0i"s)),
                    ContainsSubstring("odd.txt:1: these bytes are no UTF-16LE text"));
  CHECK_THROWS_WITH(streamed(folder.path()), ContainsSubstring("it is a folder"));
}

TEST_CASE("Line ends of every system are line feeds in a text that is read whole", "[core][text_file]") {
  const test::TemporaryFolder folder;
  CHECK(detail::read_text_file(folder.write("x.txt", "a\r\nb\rc\n\r\n")) == "a\nb\nc\n\n");
}
