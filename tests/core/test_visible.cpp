#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/visible.hpp"

using tgd::detail::visible;
using tgd::detail::visible_json;

namespace {

struct Case {
  std::string text;
  std::string shown;
};

// Split where a hexadecimal escape would go on.
const std::vector<Case> cases = {
    {"plain, \"quoted\" \\ and ünïcödé 漢字", "plain, \"quoted\" \\ and ünïcödé 漢字"},
    {"two\nlines\tand a tab", "two\nlines\tand a tab"},
    {"\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"},
    {"overwritten\rtext\b\x7f", "overwritten\\x0dtext\\x08\\x7f"},
    {"C1: \xc2\x9b"
     "31m",
     "C1: \\x9b31m"},
    {"abc\xe2\x80\xae"
     "fed",
     "abc\\u202efed"},
    {"\xe2\x81\xa6isolate\xe2\x81\xa9", "\\u2066isolate\\u2069"},
    {"a\xe2\x80\xa8"
     "b\xe2\x80\xa9"
     "c",
     "a\\u2028b\\u2029c"},
    {"zero\xe2\x80\x8bwidth\xef\xbb\xbf", "zero\\u200bwidth\\ufeff"},
    {"tag\xf3\xa0\x81\x81", "tag\\U000e0041"},
    {"family: \xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9", "family: \xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9"},
    {"no UTF-8: \xff\xc3", "no UTF-8: \\xff\\xc3"},
    {std::string("a\0b", 3), "a\\x00b"}};

}  // namespace

TEST_CASE("what a terminal would obey and what a reader would not see is shown", "[core]") {
  for (const Case& each : cases) {
    CHECK(visible(each.text) == each.shown);
    CHECK(visible(visible(each.text)) == visible(each.text));
  }
}

TEST_CASE("hidden characters in JSON text are escaped, and it says the same", "[core]") {
  for (const Case& each : cases) {
    if (each.text.find('\xff') != std::string::npos) continue;  // no JSON holds it
    const std::string json = nlohmann::json{{"a", each.text}}.dump(2);
    const std::string shown = visible_json(json);
    CHECK(nlohmann::json::parse(shown) == nlohmann::json::parse(json));
    CHECK(visible(shown) == shown);
  }
  CHECK(visible_json(nlohmann::json("\xe2\x80\xae\xc2\x9b\xf3\xa0\x81\x81\x7f").dump()) ==
        "\"\\u202e\\u009b\\udb40\\udc41\\u007f\"");
}
