#include <tgd/progress.hpp>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/temporary_folder.hpp"
#include "train/resumable_run.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string shown(const ProgressOptions& options, const test::ResumableRun& plan = {}) {
  std::ostringstream out;
  test::ResumableRun with_progress = plan;
  with_progress.callbacks.push_back(std::make_shared<Progress>(out, options));
  test::run(with_progress);
  return out.str();
}

}  // namespace

TEST_CASE("progress is a plain line for each step where there is no terminal", "[train]") {
  const std::string text = shown({});
  CHECK(std::count(text.begin(), text.end(), '\n') == 12 + 7 + 1);
  CHECK_THAT(text, !ContainsSubstring("\r") && !ContainsSubstring("\033"));
  CHECK_THAT(text, ContainsSubstring("before the first step: validation 0.5 over 8 samples"));
  CHECK_THAT(text, ContainsSubstring("epoch 1/3  step 1/12  samples 4/16  score "));
  CHECK_THAT(text, ContainsSubstring("epoch 3/3  step 12/12  samples 16/16"));
  CHECK_THAT(text, ContainsSubstring(" calls  $0."));
  CHECK_THAT(text, ContainsSubstring("all epochs are done after 12 steps"));
}

TEST_CASE("progress keeps one line up to date on a terminal", "[train]") {
  const std::string text =
      shown({.is_terminal = true, .width = 60}, {.latency = std::chrono::milliseconds(1), .max_epochs = 1});
  CHECK_THAT(text, ContainsSubstring("\r\033[K"));
  CHECK_THAT(text, ContainsSubstring("epoch 1/1  step 4/4"));
  // Every line that stays begins on an empty one.
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::string last = line.substr(line.rfind("\033[K") == std::string::npos ? 0 : line.rfind("\033[K") + 3);
    CHECK_THAT(last, ContainsSubstring("validation") || ContainsSubstring("all epochs are done"));
  }
}

TEST_CASE("a run has as many steps as it is told to have gone, races and confirmations among them", "[train]") {
  std::ostringstream out;
  Progress progress(out, {});
  RunInfo info{.epochs = 1, .steps_in_epoch = 2};
  info.status = [] { return RunStatus{}; };
  progress.on_start(info);
  StepReport race{.epoch = 1, .epochs = 1, .step = 1};
  race.race = RaceReport{.entries = {{.name = "labels", .samples = 4, .score = 0.5}}};
  progress.on_step(race);
  for (std::size_t step = 2; step <= 3; ++step)
    progress.on_step({.epoch = 1, .epochs = 1, .step = step, .step_in_epoch = step - 1, .metrics = {.score = 1, .samples = 2}});
  CHECK_THAT(out.str(), ContainsSubstring("step 2/3") && ContainsSubstring("step 3/3") && !ContainsSubstring("/2"));
}

TEST_CASE("quiet progress says what the program says", "[train]") {
  std::ostringstream out;
  const auto progress = std::make_shared<Progress>(out, ProgressOptions{.quiet = true});
  test::run({.max_epochs = 1, .callbacks = {progress}});
  progress->note("done");
  CHECK(out.str() == "done\n");
}

TEST_CASE("a run with a model of unknown price has an unknown cost, never none", "[train]") {
  std::ostringstream out;
  const FitResult result =
      test::run({.max_epochs = 1, .callbacks = {std::make_shared<Progress>(out, ProgressOptions{})}, .has_prices = false});
  CHECK_FALSE(result.usage.cost().has_value());
  CHECK(result.usage.unknown_models() == std::vector<std::string>{"simulated"});
  CHECK(result.usage.total().unknown_calls == result.usage.total().usage.calls);
  CHECK_THAT(out.str(), ContainsSubstring(" calls  cost unknown") && !ContainsSubstring("$"));
}

TEST_CASE("each step's line in the run folder says what became of the parameters", "[train]") {
  const test::TemporaryFolder folder;
  test::run({.folder = folder.path() / "run", .max_epochs = 1});
  std::ifstream file(folder.path() / "run" / "metrics.jsonl");
  std::size_t changed_words = 0;
  for (std::string text; std::getline(file, text);) {
    const auto line = nlohmann::json::parse(text);
    if (line.at("kind") != "step") continue;
    REQUIRE(line.at("updates").size() == 1);
    const auto& update = line.at("updates").at(0);
    CHECK(update.at("role") == "instructions");
    CHECK((update.at("outcome") == "updated") == (update.at("edit_distance") > 0));
    changed_words += update.at("edit_distance").get<std::size_t>();
  }
  CHECK(changed_words > 0);
}

TEST_CASE("the run folder has a ledger of the calls that were made", "[train]") {
  const test::TemporaryFolder folder;
  const FitResult result = test::run({.folder = folder.path() / "run", .max_epochs = 1});
  const auto lines = lm::read_ledger(folder.path() / "run" / "calls.jsonl");
  CHECK(static_cast<std::int64_t>(lines.size()) == result.usage.total().usage.calls);
}
