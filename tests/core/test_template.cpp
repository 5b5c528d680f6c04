#include <tgd/template.hpp>

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/table.hpp"

using tgd::TemplateInput;

namespace {

struct Case {
  std::string name;
  std::string text;
  std::map<std::string, std::string> inputs;
  std::string filled;
  std::vector<std::string> used;
};

std::vector<Case> cases(const std::string& file) {
  std::vector<Case> cases;
  for (const nlohmann::json& entry : tgd::test::table("core/" + file)) {
    cases.push_back({entry.at("name"), entry.at("text"), entry.at("inputs"), entry.at("filled"),
                     entry.value("used", std::vector<std::string>{})});
  }
  return cases;
}

std::vector<TemplateInput> inputs_of(const Case& c) {
  std::vector<TemplateInput> inputs;
  for (const auto& [name, value] : c.inputs) inputs.push_back({name, value});
  return inputs;
}

}  // namespace

TEST_CASE("A template's placeholders are replaced, and nothing else", "[core][template]") {
  const auto table = cases("templates.json");
  REQUIRE(table.size() >= 40);
  for (const Case& c : table) {
    CAPTURE(c.name, c.text);
    const auto inputs = inputs_of(c);
    std::vector<bool> used;
    CHECK(tgd::fill_template(c.text, inputs, &used) == c.filled);
    CHECK(tgd::fill_template(c.text, inputs) == c.filled);

    std::vector<std::string> used_names;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (used.at(i)) used_names.emplace_back(inputs[i].name);
      CHECK(tgd::has_placeholder(c.text, inputs[i].name) == used.at(i));
    }
    CHECK(used_names == c.used);
  }
}

TEST_CASE("A section without a value vanishes and leaves no gap", "[core][template]") {
  for (const Case& c : cases("sections.json")) {
    CAPTURE(c.name, c.text);
    CHECK(tgd::fill_sections(c.text, inputs_of(c)) == c.filled);
  }
}

TEST_CASE("A section that vanishes counts as used", "[core][template]") {
  const std::vector<TemplateInput> inputs{{"a", ""}, {"b", "2"}, {"c", ""}};
  std::vector<bool> used;
  tgd::fill_sections("x\n{a}\n{b}", inputs, &used);
  CHECK(used == std::vector<bool>{true, true, false});
}

TEST_CASE("Flags of inputs used before stay set", "[core][template]") {
  const std::vector<TemplateInput> inputs{{"a", "1"}, {"b", "2"}};
  std::vector<bool> used;
  tgd::fill_template("{a}", inputs, &used);
  tgd::fill_template("{b}", inputs, &used);
  CHECK(used == std::vector<bool>{true, true});
}
