#include <tgd/optim.hpp>

#include <optional>
#include <string>

#include "catch.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::ValueError;
using tgd::Variable;
using tgd::optim::Constraint;

TEST_CASE("A constraint is a text, with or without a check", "[optim][constraint]") {
  const Constraint text("Be polite.");
  CHECK(text.variable().text() == "Be polite.");
  CHECK_FALSE(text.has_check());
  CHECK_FALSE(text.violation("rude"));

  const Variable shared("Be brief.", "rule");
  CHECK(is_same(Constraint(shared).variable(), shared));

  const Constraint checked("No shouting.", [](const std::string& value) {
    return value.ends_with('!') ? std::optional<std::string>("It shouts.") : std::nullopt;
  });
  CHECK(checked.has_check());
  CHECK_FALSE(checked.violation("hello"));
  CHECK(checked.violation("hello!") == "It shouts.");
}

TEST_CASE("Built-in constraints", "[optim][constraint]") {
  struct Case {
    Constraint constraint;
    std::string rule;
    std::vector<std::string> good;
    std::vector<std::string> bad;
    std::string reason;
  };
  const std::vector<Case> cases{
      {Constraint::keeps_placeholders({"a", "b"}),
       "{a}, {b}",
       {"{a}{b}", "x {b} y {a} {c}", "{{a}} {b}"},
       {"{a}", "a b", "", "{ a } {b}"},
       "is missing"},
      {Constraint::contains("JSON."), "JSON.", {"JSON.", "Reply in JSON. Now."}, {"", "Reply in json.", "JSON"}, "JSON."},
      {Constraint::forbids("http"), "http", {"", "HTTP", "ht tp"}, {"http", "see https://x"}, "\"http\""},
      {Constraint::forbids_pattern("[0-9]+\\s*USD"),
       "[0-9]+\\s*USD",
       {"USD", "5 EUR"},
       {"5 USD", "costs 12USD."},
       "forbidden pattern"},
      {Constraint::max_length(3),
       "3",
       {"", "abc", "\xC3\xA4\xC3\xB6\xC3\xBC"},
       {"abcd", "\xC3\xA4\xC3\xB6\xC3\xBC!"},
       "4 characters long; at most 3"},
      {Constraint::valid_json(), "JSON", {"{}", "[1, \"a\"]", "null"}, {"", "{", "{'a': 1}", "{} {}"}, "not valid JSON"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.rule);
    CHECK(c.constraint.has_check());
    CHECK_THAT(c.constraint.variable().text(), ContainsSubstring(c.rule));
    for (const std::string& value : c.good) {
      CAPTURE(value);
      CHECK_FALSE(c.constraint.violation(value));
    }
    for (const std::string& value : c.bad) {
      CAPTURE(value);
      const auto violation = c.constraint.violation(value);
      REQUIRE(violation);
      CHECK_THAT(*violation, ContainsSubstring(c.reason));
    }
  }
}

TEST_CASE("Constraints that no value could keep or break are refused", "[optim][constraint]") {
  CHECK_THROWS_AS(Constraint::keeps_placeholders({}), ValueError);
  CHECK_THROWS_AS(Constraint::forbids(""), ValueError);
  CHECK_THROWS_AS(Constraint::contains(""), ValueError);
  CHECK_THROWS_AS(Constraint::forbids_pattern("["), ValueError);
  CHECK_THROWS_WITH(Constraint::forbids_pattern("no(?!thing)"), ContainsSubstring("look-behind are not supported"));
  CHECK_THROWS_AS(Constraint::max_length(0), ValueError);
}
