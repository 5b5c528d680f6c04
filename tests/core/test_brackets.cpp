#include <string>
#include <vector>

#include "catch.hpp"
#include "core/brackets.hpp"

using namespace tgd;

TEST_CASE("JSON ends with the bracket that closes its first one") {
  CHECK(detail::end_of_brackets("x {} y", 2) == 4U);
  CHECK(detail::end_of_brackets(R"({"a": [1, {"b": 2}]} {})", 0) == 20U);
  SECTION("brackets and quotes in quoted texts are text") {
    CHECK(detail::end_of_brackets(R"({"a}": "\"]}"})", 0) == 14U);
  }
  SECTION("what is not closed has no end") {
    CHECK_FALSE(detail::end_of_brackets("[[1]", 0));
    CHECK_FALSE(detail::end_of_brackets(R"(["])", 0));
  }
  SECTION("nor has what is nested too deeply") {
    const auto nested = [](int depth) {
      const auto count = static_cast<std::size_t>(depth);
      return std::string(count, '[') + std::string(count, ']');
    };
    CHECK(detail::end_of_brackets(nested(detail::deepest_nesting), 0) == 2U * detail::deepest_nesting);
    CHECK_FALSE(detail::end_of_brackets(nested(detail::deepest_nesting + 1), 0));
    CHECK(detail::nesting(nested(30)) == 30);
  }
}

TEST_CASE("Nesting is the most brackets that are open at once") {
  CHECK(detail::nesting("") == 0);
  CHECK(detail::nesting("}} 1") == 0);
  CHECK(detail::nesting(R"([{}, [[]], "[[[["])") == 3);
}

TEST_CASE("The parts between brackets are found one after the other, inside of each other, and in linear time") {
  const auto parts = [](const std::string& text, std::string_view openers, bool skips) {
    std::vector<std::string> found;
    detail::BracketedParts parts(text, openers);
    while (const auto part = parts.next()) {
      found.emplace_back(*part);
      if (skips) parts.skip();
    }
    return found;
  };
  using Texts = std::vector<std::string>;
  CHECK(parts("a {b {c} [d]} {e", "{", false) == Texts{"{b {c} [d]}", "{c}", ""});
  CHECK(parts("a {b {c} [d]} {e}", "{", true) == Texts{"{b {c} [d]}", "{e}"});
  CHECK(parts("a {b {c} [d]}", "{[", false) == Texts{"{b {c} [d]}", "{c}", "[d]"});
  SECTION("a quotation mark in prose hides nothing") {
    CHECK(parts(R"(6" {x} says "{y}")", "{", true) == Texts{"{x}", "{y}"});
    CHECK(parts(R"({ 6" {"a": "}"} )", "{", false) == Texts{R"({ 6" {"a": "})", R"({"a": "}"})"});
  }
  SECTION("many brackets") {
    const std::size_t many = 300'000;
    CHECK(parts(std::string(many, '{'), "{", false) == Texts(many));
    CHECK(parts(std::string(many, '{') + R"({"a":1})", "{", false).back() == R"({"a":1})");
    CHECK(parts(std::string(many, '[') + std::string(many, ']'), "[", true) == Texts(many));
    std::string pairs;
    for (std::size_t i = 0; i < many; ++i) pairs += "{} ";
    CHECK(parts(pairs, "{", false).size() == many);
    std::string quoted;
    for (std::size_t i = 0; i < many; ++i) quoted += "{\" ";
    CHECK_FALSE(parts(quoted, "{", false).empty());
  }
}

TEST_CASE("A bracket that opens too much is found, comments or not") {
  const std::string deep(600, '[');
  CHECK(detail::too_deep_at("x" + deep, false) == 501U);
  CHECK_FALSE(detail::too_deep_at("\"" + deep + "\"", false));
  CHECK_FALSE(detail::too_deep_at("// \" " + deep + "\n{} /* \" " + deep + " */", true));
  CHECK(detail::too_deep_at("// \"\n" + deep, true) == 505U);
}
