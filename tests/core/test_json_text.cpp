#include "core/json_text.hpp"

#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"

using nlohmann::json;

namespace {

std::string text_of(const json& value) {
  std::string text;
  tgd::detail::append_json(text, value);
  return text;
}

std::string reference(const json& value) { return value.dump(2, ' ', false, json::error_handler_t::replace); }

}  // namespace

TEST_CASE("Large JSON is written as the JSON library writes it", "[json]") {
  const json value = json::parse(R"({
    "": {}, "list": [], "numbers": [0, -1, 18446744073709551615, 0.1, -2.5e-300, 1e22, 3.0], "flags": [true, false, null],
    "nested": [[[1, {"a": []}]], {"b": {"c": {"d": "deep"}}}], "a \"key\"\n": 1, "größer": "ü€𝄞"
  })");
  CHECK(text_of(value) == reference(value));
  for (const json& member : value) CHECK(text_of(member) == reference(member));
}

TEST_CASE("Every byte of a text is escaped as the JSON library escapes it", "[json]") {
  std::string ascii;
  for (int c = 0; c < 0x80; ++c) {
    const json alone = std::string(1, static_cast<char>(c));
    CHECK(text_of(alone) == reference(alone));
    ascii.append(2, static_cast<char>(c)).append("run");
  }
  CHECK(text_of(ascii) == reference(ascii));
  CHECK(text_of(ascii + "é" + ascii) == reference(ascii + "é" + ascii));
}

TEST_CASE("Invalid UTF-8 becomes U+FFFD in large JSON, too", "[json]") {
  for (const char* text : {"\xFF", "cut \xE2\x82", "\xC0\x80\n", "a\xED\xA0\x80z", "good é, bad \x80, \"good\""}) {
    const json value{{text, text}};
    CHECK(text_of(value) == reference(value));
  }
}
