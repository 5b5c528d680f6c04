#include <tgd/trainer.hpp>

#include <atomic>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <tgd/functions.hpp>

#include "catch.hpp"
#include "support/temporary_folder.hpp"
#include "train/scripted_agent.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Counts its steps.
struct CountingAgent : test::ScriptedAgent {
  explicit CountingAgent(const std::vector<std::string>& rewrites) : ScriptedAgent(rewrites) {}

  std::optional<StepResult> training_step(test::Batch& batch) {
    ++(is_training() ? training_steps : other_steps);
    return ScriptedAgent::training_step(batch);
  }

  int training_steps = 0;
  int other_steps = 0;
};

data::DataLoader<test::Samples> pairs(const std::vector<std::string>& answers, std::size_t batch_size = 2) {
  return test::loader(answers, batch_size);
}

TrainerOptions options(std::size_t epochs, std::shared_ptr<TrainerCallback> callback = std::make_shared<test::Notes>()) {
  return {.max_epochs = epochs, .backward = {.model = test::critic()}, .callbacks = {std::move(callback)}};
}

}  // namespace

TEST_CASE("metrics are weighted by sample, whatever the batches", "[train][concurrent]") {
  CountingAgent agent({});
  const std::vector<std::string> answers{"start", "start", "start", "no", "start"};
  for (const std::size_t batch_size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}}) {
    const Metrics metrics = Trainer().validate(agent, pairs(answers, batch_size));
    CHECK(metrics.score == Approx(0.8));
    CHECK(metrics.samples == 5);
  }
  const Metrics perfect = Trainer().test(agent, pairs(std::vector<std::string>(68, "start"), 5));
  CHECK(perfect.score == 1.0);
  CHECK(perfect.samples == 68);
}

TEST_CASE("a score that is a mean counts for each of its samples", "[train]") {
  const auto score_with = [](Reduction reduction, std::size_t batch_size) {
    test::ScriptedAgent agent({}, reduction);
    const auto validation = test::loader({"start", "other", "start", "start", "other"}, batch_size);
    return Trainer().validate(agent, validation).score;
  };
  for (const std::size_t batch_size : {1U, 2U, 3U, 5U}) {
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
      CAPTURE(batch_size, static_cast<int>(reduction));
      CHECK(score_with(reduction, batch_size) == Approx(0.6));
    }
  }
}

TEST_CASE("values that break a limit on a metric are kept only where no others keep it", "[train]") {
  /// Says how long its values are.
  struct MeasuredAgent : test::ScriptedAgent {
    explicit MeasuredAgent(const std::vector<std::string>& rewrites) : ScriptedAgent(rewrites) {}
    std::optional<StepResult> training_step(test::Batch& batch) {
      std::optional<StepResult> result = ScriptedAgent::training_step(batch);
      result->metrics["length"] = static_cast<double>(prompt.text().size());
      return result;
    }
  };
  const auto kept = [](const std::map<std::string, Limits>& keep) {
    MeasuredAgent agent({"a longer one", "good"});
    TrainerOptions limited = options(2);
    limited.keep = keep;
    Trainer(limited).fit(agent, pairs({"never"}), pairs({"a longer one", "a longer one", "good", "no"}, 4));
    return agent.prompt.text();
  };
  CHECK(kept({}) == "a longer one");
  CHECK(kept({{"length", {.min = {}, .max = 5}}}) == "good");
  CHECK(kept({{"length", {.min = {}, .max = 4}}}) == "good");
  CHECK(kept({{"length", {.min = 20, .max = {}}}}) == "a longer one");
  CHECK(kept({{"width", {.min = {}, .max = 1}}}) == "a longer one");
}

TEST_CASE("a metric that not every sample has is a mean over those that do", "[train]") {
  struct SometimesMeasured : test::ScriptedAgent {
    SometimesMeasured() : ScriptedAgent({}) {}
    std::optional<StepResult> training_step(test::Batch& batch) {
      std::optional<StepResult> result = ScriptedAgent::training_step(batch);
      if (std::get<1>(batch).size() == 2) result->metrics["pairs"] = 3;
      return result;
    }
  };
  SometimesMeasured agent;
  const Metrics metrics = Trainer().validate(agent, pairs({"a", "b", "c"}, 2));
  CHECK(metrics.named.at("pairs") == 3);
}

TEST_CASE("validation runs in eval mode without history, and training in training mode", "[train]") {
  CountingAgent agent({"a", "b"});
  Trainer(options(1)).fit(agent, pairs({"x", "y", "z"}), pairs({"x"}));
  CHECK(agent.training_steps == 2);
  CHECK(agent.other_steps == 2);
  CHECK(agent.is_training());
}

TEST_CASE("the values of the best validation stay, and only a strictly better one replaces them", "[train]") {
  const auto notes = std::make_shared<test::Notes>();
  // One step an epoch: "good" answers 2 of 3, "equal" as many, "bad" none.
  CountingAgent agent({"good", "equal", "bad"});
  const FitResult result =
      Trainer(options(3, notes)).fit(agent, pairs({"never"}), pairs({"good", "good", "equal", "equal", "no", "no"}, 6));
  CHECK(agent.prompt.text() == "good");
  CHECK(result.steps == 3);
  CHECK(result.first->metrics.score == 0.0);
  CHECK(result.best->metrics.score == Approx(2.0 / 6));
  CHECK(result.best->epoch == 1);
  REQUIRE(notes->validations.size() == 4);
  const std::vector<bool> best{true, true, false, false};
  for (std::size_t i = 0; i < best.size(); ++i) {
    CHECK(notes->validations[i].epoch == i);
    CHECK(notes->validations[i].is_best == best[i]);
  }
}

TEST_CASE("where lower is better the lowest score wins", "[train]") {
  CountingAgent agent({"good", "bad"});
  TrainerOptions lower = options(2);
  lower.higher_is_better = false;
  Trainer(lower).fit(agent, pairs({"never"}), pairs({"start", "good"}));
  CHECK(agent.prompt.text() == "bad");
}

TEST_CASE("the optimizer's model is told how well the values did in validation", "[train]") {
  const auto asked = [](const TrainerOptions& options) {
    CountingAgent agent({"good", "bad"});
    Trainer(options).fit(agent, pairs({"never"}), pairs({"start", "good", "good", "no"}, 4));
    const lm::Request second = agent.editor->requests().at(1);
    std::string text;
    for (const lm::Message& message : second.messages) text += message.content;
    return text;
  };
  CHECK_THAT(asked(options(2)), ContainsSubstring("a higher score is better") && ContainsSubstring("Score: 0.25") &&
                                    ContainsSubstring("The present score is 0.5"));
  SECTION("but not where lower is better and the optimizer does not know") {
    TrainerOptions lower = options(2);
    lower.higher_is_better = false;
    CHECK_THAT(asked(lower), !ContainsSubstring("higher score") && !ContainsSubstring("Score: 0.25"));
  }
}

TEST_CASE("steps and validations are reported with their place", "[train]") {
  const auto notes = std::make_shared<test::Notes>();
  CountingAgent agent({"1", "2", "3", "4", "5", "6"});
  TrainerOptions often = options(2, notes);
  often.validate_every = 2;
  Trainer(often).fit(agent, pairs({"x", "x", "x", "x", "x"}), pairs({"y"}));
  REQUIRE(notes->steps.size() == 6);
  const StepReport& last = notes->steps.back();
  CHECK(last.epoch == 2);
  CHECK(last.epochs == 2);
  CHECK(last.step == 6);
  CHECK(last.step_in_epoch == 3);
  CHECK(last.steps_in_epoch == 3);
  CHECK(last.metrics.samples == 1);
  std::vector<std::size_t> validated;
  for (const ValidationReport& report : notes->validations) validated.push_back(report.step);
  CHECK(validated == std::vector<std::size_t>{0, 2, 4, 6});
}

TEST_CASE("without validation data the last values stay", "[train]") {
  CountingAgent agent({"a", "b"});
  const FitResult result = Trainer(options(2)).fit(agent, pairs({"never"}));
  CHECK(agent.prompt.text() == "b");
  CHECK_FALSE(result.best);
}

TEST_CASE("an error says where it happened and leaves the best values", "[train]") {
  CountingAgent agent({"good", "bad"});  // the script ends with the third step
  CHECK_THROWS_WITH(Trainer(options(2)).fit(agent, pairs({"never", "never", "never"}, 2), pairs({"good"})),
                    ContainsSubstring("epoch 2, step 1 of 2: "));
  CHECK(agent.prompt.text() == "start");

  CountingAgent second({"good"});
  CHECK_THROWS_AS(Trainer(options(2)).fit(second, pairs({"never"}), pairs({"good"})), LMError);
  CHECK(second.prompt.text() == "good");
}

TEST_CASE("all batches of a validation are in flight together", "[train]") {
  CountingAgent agent({});
  auto slow = std::make_shared<lm::Stub>();
  slow->otherwise("start").latency(std::chrono::milliseconds(20));
  agent.student = slow;
  Trainer().validate(agent, pairs(std::vector<std::string>(12, "start"), 3));
  CHECK(slow->max_in_flight() == 12);
}

TEST_CASE("steps may skip a batch, give lists of scores, further figures, and their own validation and test", "[train]") {
  struct Steps {
    std::optional<StepResult> training_step(Variable&) { throw std::logic_error("not in this test"); }
    std::optional<StepResult> validation_step(Variable& batch) {
      if (batch.size() == 1) return std::nullopt;
      StepResult result = exact_match_evaluator(batch, "a", {.reduction = Reduction::none});
      result.metrics["length"] = static_cast<double>(batch.size());
      return result;
    }
    std::optional<StepResult> test_step(Variable& batch) { return exact_match_evaluator(batch, "b"); }
  } steps;
  const data::DataLoader<std::vector<std::string>> texts({"a", "a", "b", "a", "b"}, {.batch_size = 2});
  const Metrics metrics = Trainer().validate(steps, texts);
  CHECK(metrics.samples == 4);
  CHECK(metrics.score == 0.75);
  CHECK(metrics.named.at("length") == 2.0);
  CHECK(Trainer().test(steps, texts).score == Approx(0.4));
}

TEST_CASE("a figure that is no number is refused where it comes in, by name", "[train]") {
  struct Agent : test::ScriptedAgent {
    explicit Agent(double metric, double score) : ScriptedAgent({"a", "b"}), metric_(metric), score_(score) {}
    std::optional<StepResult> training_step(test::Batch& batch) {
      StepResult result = *ScriptedAgent::training_step(batch);
      result.metrics["f1"] = metric_;
      if (score_ != 0) result.evaluation.score = Variable(std::vector<double>{score_, 1}, "scores");
      return result;
    }
    double metric_;
    double score_;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const auto names = [](const std::string& what) { return ContainsSubstring(what); };
  for (const double bad : {nan, infinity, -infinity}) {
    CAPTURE(bad);
    Agent metric(bad, 0);
    CHECK_THROWS_WITH(Trainer().validate(metric, pairs({"x", "y"})), names("\"f1\"") && names("no number"));
    CHECK_THROWS_WITH(Trainer(options(1)).fit(metric, pairs({"x", "y"})), names("\"f1\"") && names("step 1"));
    CHECK(metric.prompt.data().text() == "start");
    Agent score(0, bad);
    CHECK_THROWS_WITH(Trainer().validate(score, pairs({"x", "y"})), names("the evaluator's score"));
  }
}

TEST_CASE("a run that ended because of a metric that is no number goes on when it is one", "[train]") {
  struct Agent : test::ScriptedAgent {
    explicit Agent(double metric) : ScriptedAgent({"a", "b"}), metric_(metric) {}
    std::optional<StepResult> training_step(test::Batch& batch) {
      StepResult result = *ScriptedAgent::training_step(batch);
      result.metrics["f1"] = metric_;
      return result;
    }
    double metric_;
  };
  const test::TemporaryFolder folder;
  TrainerOptions in_folder = options(1);
  in_folder.run_folder = folder.path() / "run";
  Agent bad(std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_WITH(Trainer(in_folder).fit(bad, pairs({"x", "y"})), ContainsSubstring("f1"));
  Agent good(0.5);
  CHECK(Trainer(in_folder).fit(good, pairs({"x", "y"}), {.resume = true}).steps == 1);
}
