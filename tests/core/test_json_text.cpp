#include "core/json_text.hpp"
#include "core/json_writer.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/visible.hpp"

using json = nlohmann::ordered_json;

namespace {

std::string text_of(const json& value) {
  std::string text;
  tgd::detail::append_json(text, value);
  return text;
}

/// The JSON library's text; what it leaves hidden is escaped.
std::string reference(const json& value) {
  return tgd::detail::visible_json(value.dump(2, ' ', false, json::error_handler_t::replace));
}

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

namespace {

/// A document with everything that can be nested in everything, keys in their order.
template <class Out>
void describe(Out& out, int depth) {
  out.object([&] {
    out.key("a list");
    out.array([&] {
      out.value("text \"quoted\"\n");
      out.value(std::string("owned"));
      out.value(true);
      out.value(nullptr);
      out.value(0.1);
      out.value(std::size_t{7});
      out.array([] {});
      if (depth > 0) describe(out, depth - 1);
    });
    out.key("b");
    out.object([] {});
    out.key("c");
    out.value(json{{"x", {1, 2}}, {"y", json::array()}});
    if (depth > 0) {
      out.key("d");
      describe(out, depth - 1);
    }
  });
}

}  // namespace

TEST_CASE("A described document is the same as a tree and as text", "[json]") {
  for (int depth = 0; depth < 4; ++depth) {
    tgd::detail::JsonTree tree;
    describe(tree, depth);
    const json document = tree.take();
    CHECK(document["a list"][4] == 0.1);
    CHECK(document.contains("d") == (depth > 0));
    for (const std::size_t indent : {0U, 4U}) {
      std::string text = "before ";
      std::string expected = text;
      tgd::detail::JsonText writer(text, indent);
      describe(writer, depth);
      tgd::detail::append_json(expected, document, indent);
      CHECK(text == expected);
    }
  }
}

TEST_CASE("An object of many members is written as any other", "[json]") {
  for (const std::size_t count : {0U, 1U, 49U, 50U, 51U, 1234U}) {
    std::vector<std::string> keys;
    json object = json::object();
    for (std::size_t i = 0; i < count; ++i) keys.push_back("key " + std::to_string(10'000 + i));
    for (std::size_t i = 0; i < count; ++i) object[keys[i]] = json{{"number", i}};
    std::string text;
    tgd::detail::append_object(text, keys, [](std::string& out, std::size_t i) {
      tgd::detail::append_json(out, json{{"number", i}}, 2);
    });
    CHECK(text == reference(object));
  }
}

TEST_CASE("Written JSON hides nothing and says the same", "[json]") {
  const std::string hostile =
      "del \x7F, C1 \u009B, override \u202E, mark \u200F, tag \U000E0041, BOM \uFEFF; é 好 👩‍🚀";
  const json value{{hostile, {hostile, {{"inner", hostile + "\xFF"}}}}};
  for (const std::string& text : {text_of(value), tgd::detail::json_text(value, 2)}) {
    CAPTURE(text);
    CHECK(text == reference(value));
    for (const char* hidden : {"\x7F", "\u009B", "\u202E", "\u200F", "\U000E0041", "\uFEFF"})
      CHECK(text.find(hidden) == std::string::npos);
    for (const char* shown : {"\\u007f", "\\u009b", "\\u202e", "\\udb40\\udc41", "\\ufeff", "é 好 👩‍🚀"})
      CHECK(text.find(shown) != std::string::npos);
    CHECK(json::parse(text).items().begin().key() == hostile);
  }
  CHECK(tgd::detail::json_text(nlohmann::ordered_json{{"b", "\u009B"}, {"a", 1}}) == R"({"b":"\u009b","a":1})");
}
