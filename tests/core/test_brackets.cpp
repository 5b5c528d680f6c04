#include <string>

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
