#include <tgd/trainer.hpp>

#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "catch.hpp"
#include "support/temporary_folder.hpp"
#include "train/scripted_agent.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using test::critic;
using test::loader;
using Outcome = optim::ParameterUpdate::Outcome;

namespace {

/// Skips the batches whose answer is "skip".
struct Agent : test::ScriptedAgent {
  explicit Agent(const std::vector<std::string>& rewrites) : ScriptedAgent(rewrites, Reduction::none) {}

  std::optional<StepResult> training_step(test::Batch& batch) {
    if (std::get<1>(batch).texts().front() == "skip") return std::nullopt;
    return ScriptedAgent::training_step(batch);
  }
};

/// Writes down each border.
struct Borders : TrainerCallback {
  void on_start(const RunInfo& info) override {
    note("start");
    if (stops) info.stop();
  }
  void on_epoch(std::size_t epoch) override { note(fmt::format("epoch {}", epoch)); }
  void on_batch_start(const BatchInfo& batch) override {
    note(fmt::format("batch {} ({} of the epoch, {} samples)", batch.step, batch.step_in_epoch, batch.samples));
  }
  void on_before_backward(const BatchInfo&, const StepResult& result) override {
    note(fmt::format("before backward, score {}", result.evaluation.score.data().as_reals().at(0)));
  }
  void on_after_backward(const BatchInfo& batch) override { note(fmt::format("after backward {}", batch.step)); }
  void on_before_optimizer_step(const BatchInfo&, optim::Optimizer& optimizer) override {
    note("before step: " + optimizer.parameters().at(0).text());
  }
  void on_after_optimizer_step(const BatchInfo&, optim::Optimizer& optimizer) override {
    note("after step: " + optimizer.parameters().at(0).text());
  }
  void on_step(const StepReport& report) override {
    note(fmt::format("step {}", report.step));
    steps.push_back(report);
  }
  void on_validation_start(const ValidationInfo& info) override {
    note(fmt::format("validation {}/{} begins", info.epoch, info.step));
  }
  void on_validation(const ValidationReport& report) override {
    note(fmt::format("validation {}/{}", report.epoch, report.step));
  }
  void on_checkpoint(const CheckpointInfo& info) override {
    CHECK(std::filesystem::exists(info.path));
    note(fmt::format("checkpoint {}", info.step));
  }
  void on_epoch_end(std::size_t epoch) override { note(fmt::format("epoch {} ends", epoch)); }
  void on_error(const std::exception_ptr& error) override {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& known) {
      note(std::string("error: ") + known.what());
    }
  }
  void on_end(const FitResult* result) override { note(result == nullptr ? "end after an error" : "end"); }

  void note(std::string text) { notes.push_back(std::move(text)); }

  bool stops = false;
  std::vector<std::string> notes;
  std::vector<StepReport> steps;
};

TrainerOptions options_with(const std::shared_ptr<Borders>& borders) {
  return {.backward = {.model = critic()}, .callbacks = {borders}};
}

/// Runs one step on one sample and gives its report.
StepReport step_report(const std::vector<std::string>& rewrites, const std::string& sample, const Gate& gate = {}) {
  const auto borders = std::make_shared<Borders>();
  TrainerOptions options = options_with(borders);
  options.gate = gate;
  Agent agent(rewrites);
  Trainer(options).fit(agent, loader({sample}));
  return borders->steps.at(0);
}

}  // namespace

TEST_CASE("a callback hears of every border of a run, in order", "[train][callbacks][concurrent]") {
  const test::TemporaryFolder folder;
  const auto borders = std::make_shared<Borders>();
  TrainerOptions options = options_with(borders);
  options.run_folder = folder.path() / "run";
  Agent agent({"a", "b"});
  Trainer(options).fit(agent, loader({"x", "y", "skip"}), loader({"b"}));
  CHECK(borders->notes == std::vector<std::string>{"start",
                                                   "validation 0/0 begins",
                                                   "validation 0/0",
                                                   "checkpoint 0",
                                                   "epoch 1",
                                                   "batch 1 (1 of the epoch, 1 samples)",
                                                   "before backward, score 0",
                                                   "after backward 1",
                                                   "before step: start",
                                                   "after step: a",
                                                   "step 1",
                                                   "checkpoint 1",
                                                   "batch 2 (2 of the epoch, 1 samples)",
                                                   "before backward, score 0",
                                                   "after backward 2",
                                                   "before step: a",
                                                   "after step: b",
                                                   "step 2",
                                                   "checkpoint 2",
                                                   "batch 3 (3 of the epoch, 1 samples)",
                                                   "step 3",
                                                   "checkpoint 3",
                                                   "validation 1/3 begins",
                                                   "validation 1/3",
                                                   "checkpoint 3",
                                                   "epoch 1 ends",
                                                   "end"});
}

TEST_CASE("an agent that optimizes by hand has no borders of backward and optimizer", "[train][callbacks]") {
  struct ByHand : Agent {
    using Agent::Agent;
    bool automatic_optimization = false;
  };
  const auto borders = std::make_shared<Borders>();
  ByHand agent(std::vector<std::string>{});
  Trainer(options_with(borders)).fit(agent, loader({"x"}));
  CHECK(borders->notes ==
        std::vector<std::string>{"start", "epoch 1", "batch 1 (1 of the epoch, 1 samples)", "step 1", "epoch 1 ends", "end"});
}

TEST_CASE("a callback sees the error that ends a run", "[train][callbacks]") {
  const auto borders = std::make_shared<Borders>();
  Agent agent({});  // the optimizer's script has no reply
  CHECK_THROWS_AS(Trainer(options_with(borders)).fit(agent, loader({"x"})), LMError);
  REQUIRE(borders->notes.size() >= 2);
  CHECK_THAT(borders->notes.end()[-2], ContainsSubstring("error: epoch 1, step 1 of 1: "));
  CHECK(borders->notes.back() == "end after an error");
}

TEST_CASE("a callback can end the run", "[train][callbacks]") {
  const auto borders = std::make_shared<Borders>();
  Agent agent({"a"});
  SECTION("before the first step") {
    borders->stops = true;
    const FitResult result = Trainer(options_with(borders)).fit(agent, loader({"x", "y"}));
    CHECK(result.ending == Ending::stopped);
    CHECK(result.reason == "stopped on request");
    CHECK(result.steps == 0);
  }
  SECTION("and say why") {
    struct StopForAReason : TrainerCallback {
      void on_start(const RunInfo& info) override { stop = info.stop_because; }
      void on_step(const StepReport&) override {
        stop("the moon is full");
        stop("it was too late");
      }
      std::function<void(std::string)> stop;
    };
    TrainerOptions options = options_with(borders);
    options.callbacks.push_back(std::make_shared<StopForAReason>());
    const FitResult result = Trainer(options).fit(agent, loader({"x", "y"}));
    CHECK(result.ending == Ending::stopped);
    CHECK(result.reason == "the moon is full");
  }
  SECTION("after the step under way, and the next run is a new one") {
    struct StopAfterOne : TrainerCallback {
      void on_start(const RunInfo& info) override { stop = info.stop; }
      void on_step(const StepReport&) override { stop(); }
      std::function<void()> stop;
    };
    const auto stopping = std::make_shared<StopAfterOne>();
    TrainerOptions options = options_with(borders);
    options.callbacks.push_back(stopping);
    Trainer trainer(options);
    const FitResult result = trainer.fit(agent, loader({"x", "y"}));
    CHECK(result.ending == Ending::stopped);
    CHECK(result.steps == 1);
    CHECK(borders->notes.end()[-2] == "epoch 1 ends");
    stopping->stop();  // of a run that is over: nothing happens
    CHECK(trainer.fit(agent, loader({"a"})).ending == Ending::epochs);
  }
}

TEST_CASE("a step's report says what the optimizer did", "[train][callbacks]") {
  SECTION("a new value") {
    const auto updates = step_report({"a"}, "x").updates;
    REQUIRE(updates.size() == 1);
    CHECK(updates[0].outcome == Outcome::updated);
    CHECK(updates[0].old_value == "start");
    CHECK(updates[0].new_value == "a");
    CHECK(updates[0].edit_distance == 1);
  }
  SECTION("nothing to learn") { CHECK(step_report({}, "start").updates.at(0).outcome == Outcome::no_feedback); }
  SECTION("an unusable reply") {
    const auto updates = step_report({""}, "x").updates;
    CHECK(updates.at(0).outcome == Outcome::kept);
    CHECK_FALSE(updates.at(0).reason.empty());
  }
  SECTION("a batch that was skipped") { CHECK(step_report({}, "skip").updates.empty()); }
  SECTION("a proposal that the gate took") {
    const StepReport report = step_report({"x"}, "x", {.confidence = 0.4});
    CHECK(report.gate->accepted);
    CHECK(report.updates.at(0).outcome == Outcome::updated);
    CHECK(report.updates.at(0).new_value == "x");
  }
  SECTION("a proposal that the gate rejected") {
    const StepReport report = step_report({"a"}, "x", {.confidence = 0.4});
    CHECK(report.updates.at(0).outcome == Outcome::rejected);
    CHECK(report.updates.at(0).new_value == "a");
    CHECK(report.updates.at(0).reason == report.gate->reason);
  }
  SECTION("no usable proposal for the gate") {
    const StepReport report = step_report({""}, "x", {.confidence = 0.4});
    CHECK(report.gate->proposals == 0);
    CHECK(report.updates.at(0).outcome == Outcome::kept);
  }
}
