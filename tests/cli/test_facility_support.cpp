// The tutorial as a user runs it, on the real file: TGD_TEST_DATA names a folder with facility_support/dataset.json.

#include <cstdlib>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support/matches.hpp"
#include "support/process.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::test::ProcessResult;
namespace test = tgd::test;

namespace {

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

  const std::string step = R"(^loss: \d+\.\d{6} - accuracy: [01]\.\d{6} \[ {3}(33|66)/ {3}66\]$)";
  CHECK(test::found_on_lines(result.out, step) ==
        std::vector<std::string>{"33", "66", "33", "66", "33", "66", "33", "66", "33", "66"});
  const auto losses = test::numbers_on_lines(result.out, R"(^loss: (\S+) - accuracy)");
  const auto accuracies = test::numbers_on_lines(result.out, R"(^loss: \S+ - accuracy: (\S+) )");
  REQUIRE(losses.size() == 10);
  REQUIRE(accuracies.size() == 10);
  for (std::size_t i = 0; i < losses.size(); ++i) CHECK(losses[i] == Approx(33 * accuracies[i]).margin(1e-4));

  CHECK(test::found_on_lines(result.out, "^(Test Error:) $").size() == (with_trainer ? 2U : 6U));
  const auto tested = test::numbers_on_lines(result.out, R"(^ Accuracy: (\d+\.\d)%, Avg loss: +\d+\.\d{6} $)");
  const auto average = test::numbers_on_lines(result.out, R"(^ Accuracy: \d+\.\d%, Avg loss: +(\d+\.\d{6}) $)");
  REQUIRE(tested.size() == (with_trainer ? 2U : 6U));
  for (std::size_t i = 0; i < tested.size(); ++i) CHECK(tested[i] == Approx(average[i] * 4 / 68 * 100).margin(0.05));
  CHECK(tested.back() >= tested.front());
}

TEST_CASE("The tutorial says where its data comes from when there is none", "[examples]") {
  if (!can_run()) return;
  const ProcessResult result = run_tutorial({"/nowhere"});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("/nowhere") && ContainsSubstring("llama-prompt-ops"));
}
