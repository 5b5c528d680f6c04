#include <tgd/json.hpp>

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Json;
using tgd::ParseError;

TEST_CASE("Json is an empty object until it is something else", "[core][json]") {
  CHECK(Json().dump() == "{}");
  CHECK(Json().empty());
  CHECK(Json{}.value().is_object());
}

TEST_CASE("Json is written in braces", "[core][json]") {
  const Json args{{"model", "m"},
                  {"temperature", 0.0},
                  {"n", 2},
                  {"stream", false},
                  {"stop", nullptr},
                  {"logit", Json::array({1, "b"})},
                  {"extra", Json{{"deep", true}}}};
  CHECK(args.dump() ==
        R"({"model":"m","temperature":0.0,"n":2,"stream":false,"stop":null,"logit":[1,"b"],"extra":{"deep":true}})");
  CHECK(Json{{"a", "b"}}.dump() == R"({"a":"b"})");
  CHECK(Json{{"seed", std::uint64_t{18446744073709551615U}}}.dump() == R"({"seed":18446744073709551615})");
}

TEST_CASE("A member is read as text only where it is text", "[core][json]") {
  const Json json{{"a", "text"}, {"n", 1}};
  CHECK(json.contains("a"));
  CHECK_FALSE(json.contains("b"));
  CHECK(json.get_text("a") == "text");
  CHECK(json.get_text("n", "fallback") == "fallback");
  CHECK(json.get_text("b", "fallback") == "fallback");
  CHECK_FALSE(Json::array({"a"}).contains("a"));
}

TEST_CASE("Changing a Json makes a new one", "[core][json]") {
  const Json first{{"a", 1}};
  const Json copy = first;
  const Json second = first.with("a", 2).with("b", 3);
  CHECK(second.dump() == R"({"a":2,"b":3})");
  CHECK(first.dump() == R"({"a":1})");
  CHECK(copy == first);
  CHECK_FALSE(second == first);
}

TEST_CASE("Merging lays the members of one object over those of another", "[core][json]") {
  const Json base{{"a", 1}, {"deep", Json{{"x", 1}, {"y", 2}}}};
  CHECK(base.merged({{"b", 3}, {"a", 2}}).dump() == R"({"a":2,"deep":{"x":1,"y":2},"b":3})");
  CHECK(base.merged({{"deep", Json{{"x", 9}}}}).dump() == R"({"a":1,"deep":{"x":9}})");
  CHECK(base.merged({}) == base);
  CHECK(Json().merged(base) == base);
}

TEST_CASE("Members keep the order that they are given in, at every depth", "[core][json]") {
  const std::string text = R"({"z":1,"a":{"reasoning":{"y":[{"q":0,"b":0}]},"answer":2},"m":null})";
  const Json json = Json::parse(text);
  CHECK(json.dump() == text);
  CHECK(Json(json.value()).dump() == text);
  CHECK(json.with("z", 2).with("c", 3).dump() ==
        R"({"z":2,"a":{"reasoning":{"y":[{"q":0,"b":0}]},"answer":2},"m":null,"c":3})");
  CHECK(Json{{"z", 1}, {"a", Json{{"y", 2}, {"b", 3}}}}.dump() == R"({"z":1,"a":{"y":2,"b":3}})");
  CHECK(Json(nlohmann::json::parse(R"({"z": 1, "a": 2})")).dump() == R"({"a":2,"z":1})");
}

TEST_CASE("Of members with one key the last one counts, at the place of the first", "[core][json]") {
  const std::string text = R"({"b": 1, "a": {"x": 1, "x": 2, "y": 3, "x": [4]}, "b": {"c": 5}, "d": 6})";
  CHECK(Json::parse(text).dump() == R"({"b":{"c":5},"a":{"x":[4],"y":3},"d":6})");
  CHECK(Json::parse(text).value() == nlohmann::ordered_json::parse(text));
}

TEST_CASE("The members of an object may come in any order, and within them order counts", "[core][json]") {
  const Json json = Json::parse(R"({"a": 1, "b": {"x": 1, "y": 2}})");
  CHECK(json == Json::parse(R"({"b": {"x": 1, "y": 2}, "a": 1})"));
  CHECK_FALSE(json == Json::parse(R"({"a": 1, "b": {"y": 2, "x": 1}})"));
  CHECK_FALSE(json == Json::parse(R"({"a": 1, "c": {"x": 1, "y": 2}})"));
  CHECK_FALSE(json == Json::parse(R"({"a": 1})"));
  CHECK_FALSE(Json::array({1, 2}) == Json::array({2, 1}));
}

TEST_CASE("An object of very many members is parsed, and written as it was", "[core][json]") {
  std::string text = "{";
  for (int i = 0; i < 50'000; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  CHECK((Json::parse(text + "}").dump() == text + "}"));
}

TEST_CASE("Json is dumped compactly or indented, and broken UTF-8 is replaced", "[core][json]") {
  CHECK(Json{{"a", Json::array({1, 2})}}.dump(2) == "{\n  \"a\": [\n    1,\n    2\n  ]\n}");
  CHECK(Json("gr\xC3\xBC\xC3\x9F").dump() == "\"gr\xC3\xBC\xC3\x9F\"");
  CHECK(Json("a\xFFz").dump() == "\"a\xEF\xBF\xBDz\"");
}

TEST_CASE("A JSON text that is wrong is reported with line and column", "[core][json]") {
  CHECK(Json::parse(" [1, {\"a\": null}] ").dump() == R"([1,{"a":null}])");

  struct Case {
    std::string text;
    std::string place;
  };
  const auto c = GENERATE(values<Case>({{"{]", "line 1, column 2"},
                                        {"{\"a\": 1,\n  \"b\": x}", "line 2, column 8"},
                                        {"[1,\n\n2,]", "line 3, column 3"},
                                        {"[\"a\nb\"]", "line 1, column 4"},
                                        {"", "line 1, column 1"},
                                        {"[1", "line 1, column 3"}}));
  CAPTURE(c.text);
  CHECK_THROWS_AS(Json::parse(c.text), ParseError);
  CHECK_THROWS_WITH(Json::parse(c.text), ContainsSubstring(c.place + ":"));
}

TEST_CASE("JSON that is nested too deeply is refused where it enters, at its place", "[core][json]") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(Json::parse(nested(500)).dump() == nested(500));
  CHECK_THROWS_AS(Json::parse(nested(501)), ParseError);
  CHECK_THROWS_WITH(Json::parse("\n" + nested(200'000)),
                    ContainsSubstring("line 2, column 501: brackets are nested more than 500"));
  const auto check_built = [](auto built) {
    for (int i = 0; i < 50'000; ++i) {
      auto outer = decltype(built)::array();
      outer.push_back(std::move(built));
      built = std::move(outer);
    }
    CHECK_THROWS_AS(Json(built), tgd::ValueError);
    CHECK_THROWS_AS(Json(std::move(built)), tgd::ValueError);
  };
  check_built(nlohmann::json());
  check_built(nlohmann::ordered_json());
  Json box;
  for (int i = 0; i < 499; ++i) box = Json{{"a", box}};
  CHECK_THROWS_AS(Json::array({Json::array({box})}), tgd::ValueError);
}

TEST_CASE("What is inside a temporary does not end before it is read", "[json]") {
  static_assert(std::is_same_v<decltype(std::declval<tgd::Json>().value()), nlohmann::ordered_json>);
  static_assert(std::is_same_v<decltype(std::declval<const tgd::Json&>().value()), const nlohmann::ordered_json&>);
  const nlohmann::ordered_json& kept = tgd::Json{{"a", tgd::Json::array({1, "two"})}}.value();
  CHECK(kept["a"][1] == "two");
}
