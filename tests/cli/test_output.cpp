#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/table.hpp"
#include "task/output.hpp"

using namespace tgd;
using Kind = cli::OutputStep::Kind;

namespace {

cli::OutputStep step_of(const nlohmann::json& step) {
  if (step == "text") return {Kind::text};
  if (step == "lower_case") return {Kind::lower_case};
  if (step == "fenced_json") return {Kind::fenced_json};
  if (step == "number") return {Kind::number};
  if (step == "comma_number") return {Kind::comma_number};
  if (step.contains("json_pointer")) return {Kind::json_pointer, step["json_pointer"]};
  return {Kind::regex, step.at("regex")};
}

}  // namespace

TEST_CASE("a reply becomes an output step by step, or stays as it came with the reason", "[cli]") {
  for (const nlohmann::json& example : test::table("cli/outputs.json")) {
    std::vector<cli::OutputStep> steps;
    for (const nlohmann::json& step : example["output"]) steps.push_back(step_of(step));
    INFO(example["name"]);
    const cli::Output output = cli::OutputParser(steps).parse(example["reply"].get<std::string>());
    CHECK(output.text == example["is"].get<std::string>());
    CHECK(output.problem.value_or("") == example.value("problem", ""));
  }
}

TEST_CASE("replies of any length are searched whole, without harm", "[cli]") {
  const std::string filler(300'000, 'x');
  CHECK(cli::OutputParser({{Kind::regex, "Answer: (\\w+)"}}).parse(filler + " Answer: yes").text == "yes");
  CHECK(cli::OutputParser({{Kind::regex, "Answer: (\\w+)"}}).parse("Answer: yes " + filler).text == "yes");
  CHECK(cli::OutputParser({{Kind::regex, "Answer:(.*)"}}).parse(filler + " Answer:" + std::string(1'900, 'y')).text.size() ==
        1'900);

  CHECK(cli::OutputParser({{Kind::fenced_json}}).parse(std::string(100'000, '{') + " {\"a\":1}").text == R"({"a":1})");
  std::string brackets(100'000, '[');
  CHECK(cli::OutputParser({{Kind::fenced_json}}).parse(brackets).problem.has_value());
  brackets += std::string(100'000, ']');
  CHECK(cli::OutputParser({{Kind::fenced_json}}).parse(brackets).problem.has_value());
}
