#include "core/pattern.hpp"

#include <string>
#include <vector>

#include <tgd/error.hpp>

#include "catch.hpp"

using tgd::ValueError;
using tgd::detail::Pattern;

TEST_CASE("A pattern finds its first group, or the whole match, anywhere in a text", "[pattern]") {
  CHECK(Pattern("Answer: (\\w+)").find("I think.\nAnswer: billing. Answer: other") == "billing");
  CHECK(Pattern("(?s).*Answer: (\\w+)").find("Answer: billing.\nAnswer: other") == "other");
  CHECK(Pattern("[0-9]+").find("It is 42.") == "42");
  CHECK(Pattern("a(b)?").find("a") == "");
  CHECK(Pattern("").find("a") == "");
  CHECK_FALSE(Pattern("x").find("abc"));
  CHECK(Pattern("(?i)FAQ").is_in("the faq"));
  CHECK_FALSE(Pattern("^b$").is_in("a\nb"));
  CHECK(Pattern("(?m)^b$").is_in("a\nb"));
  const std::string with_nul("a\0b", 3);
  CHECK(Pattern("a(.)b").find(with_nul) == std::string(1, '\0'));
}

TEST_CASE("A pattern sees characters, and U+FFFD for bytes that are none", "[pattern]") {
  CHECK(Pattern("^.$").is_in("€"));
  CHECK(Pattern("label: (.+)").find("label: n\xFFw") == "n\xEF\xBF\xBDw");
  CHECK(Pattern("a.*z").is_in("a \xF0\x9F z"));
  CHECK(Pattern("\\p{Greek}+").find("abc αβγ") == "αβγ");
}

TEST_CASE("A pattern searches a text of any length in linear time and on any stack", "[pattern]") {
  const std::string filler(2'000'000, 'x');
  CHECK(Pattern("(x|y)*z").find(filler + "z") == "x");
  CHECK_FALSE(Pattern("(x+x+)+y").is_in(filler));
  CHECK(Pattern("Answer: (\\w+)").find("Answer: yes " + filler) == "yes");
  // More states than the memory of a pattern holds at a time.
  CHECK(Pattern("[xy]*x[xy]{60}z").is_in(filler + "z"));
}

TEST_CASE("What a pattern cannot say is refused, with what can be written instead", "[pattern]") {
  struct Case {
    std::string pattern;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {"(?=a)b", "look-ahead and look-behind are not supported"},
      {"a(?!b)", "look-ahead and look-behind are not supported"},
      {"(?<=a)b", "put the part that counts into a group"},
      {"(?<!a)b", "put the part that counts into a group"},
      {"(a|b)\\1", "back-references are not supported"},
      {"(?P<x>a)(?P=x)", "back-references are not supported"},
      {"\\u20AC", "\\x{20AC}"},
      {"a*+b", "write * for *+"},
      {"a\\Z", "\\z"},
      {"[a-", "missing ]"},
      {"(a", "missing )"},
      {"a{5000}", "repetition"},
      {"\xFF", "UTF-8"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pattern);
    CHECK_THROWS_AS(Pattern(c.pattern), ValueError);
    CHECK_THROWS_WITH(Pattern(c.pattern), Catch::Matchers::ContainsSubstring(c.reason));
  }
}
