#include "core/utf8.hpp"

#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"

using tgd::detail::is_utf8;
using tgd::detail::valid_utf8;

TEST_CASE("Text is made valid UTF-8 byte by byte") {
  using namespace std::string_literals;
  const std::string unknown = "\xEF\xBF\xBD";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain", "plain"},
      {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
      {"a\xFFz", "a" + unknown + "z"},
      {"cut \xE2\x82", "cut " + unknown + unknown},
      {"\xC0\xAF", unknown + unknown},                              // an overlong form
      {"\xED\xA0\x80", unknown + unknown + unknown},                // a surrogate
      {"\xF4\x90\x80\x80", unknown + unknown + unknown + unknown},  // above U+10FFFF
      {"null \0 byte"s, "null \0 byte"s},
  };
  for (const auto& [text, valid] : cases) {
    CAPTURE(text);
    CHECK(is_utf8(text) == (text == valid));
    CHECK(valid_utf8(text) == valid);
    CHECK(is_utf8(valid_utf8(text)));
  }
}
