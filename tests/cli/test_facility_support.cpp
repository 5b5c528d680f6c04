// The tutorial as a user runs it, on the real file: TGD_TEST_DATA names a folder with facility_support/dataset.json.

#include <cstdlib>
#include <regex>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support/process.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::test::ProcessResult;

namespace {

std::vector<std::smatch> all_matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return {std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()};
}

bool can_run() {
#ifndef TGD_FACILITY_SUPPORT
  WARN("skipped: the examples are not built (TGD_BUILD_EXAMPLES)");
  return false;
#else
  if (std::getenv("TGD_TEST_DATA") != nullptr) return true;
  WARN("skipped: TGD_TEST_DATA is not set; it names a folder with facility_support/dataset.json");
  return false;
#endif
}

ProcessResult run_tutorial(const std::vector<std::string>& arguments) {
#ifdef TGD_FACILITY_SUPPORT
  std::vector<std::string> command{TGD_FACILITY_SUPPORT};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return tgd::test::run_process(command);
#else
  return {.status = static_cast<int>(arguments.size())};
#endif
}

}  // namespace

TEST_CASE("The tutorial prints what the field's prints and learns, by hand and with the Trainer", "[examples]") {
  if (!can_run()) return;
  const bool with_trainer = GENERATE(false, true);
  std::vector<std::string> arguments{std::getenv("TGD_TEST_DATA")};
  if (with_trainer) arguments.insert(arguments.begin(), "--trainer");
  const ProcessResult result = run_tutorial(arguments);
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  CHECK(result.err.empty());
  CHECK_THAT(result.out, ContainsSubstring("simulation") && ContainsSubstring("Epoch 1\n-----"));

  const auto steps = all_matches(result.out, R"(loss: (\d+\.\d{6}) - accuracy: ([01]\.\d{6}) \[ {3}(33|66)/ {3}66\]\n)");
  REQUIRE(steps.size() == 10);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CHECK(steps[i][3] == (i % 2 == 0 ? "33" : "66"));
    CHECK(std::stod(steps[i][1]) == Approx(33 * std::stod(steps[i][2])).margin(1e-4));
  }
  const auto tests = all_matches(result.out, R"(Test Error: \n Accuracy: (\d+\.\d)%, Avg loss: +(\d+\.\d{6}) \n)");
  REQUIRE(tests.size() == (with_trainer ? 2U : 6U));
  for (const auto& match : tests) CHECK(std::stod(match[1]) == Approx(std::stod(match[2]) * 4 / 68 * 100).margin(0.05));
  CHECK(std::stod(tests.back()[1]) >= std::stod(tests.front()[1]));
}

TEST_CASE("The tutorial says where its data comes from when there is none", "[examples]") {
  if (!can_run()) return;
  const ProcessResult result = run_tutorial({"/nowhere"});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("/nowhere") && ContainsSubstring("llama-prompt-ops"));
}
