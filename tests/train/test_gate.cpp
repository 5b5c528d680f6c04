#include <tgd/trainer.hpp>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include <tgd/data/stream_loader.hpp>
#include <tgd/functions.hpp>

#include "catch.hpp"
#include "train/paired_test.hpp"
#include "train/scripted_agent.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

using test::Samples;

/// Its value says which numbers it answers: "up to 3" is right for "1", "2" and "3".
struct CountsUpTo : test::ScriptedAgent {
  explicit CountsUpTo(const std::vector<std::string>& rewrites, Reduction how = Reduction::none)
      : ScriptedAgent(rewrites, how) {
    prompt.set_data("up to 3");
    student = lm::Stub::answering([](const lm::Request& request) {
      const int most = std::stoi(request.messages[0].content.substr(6));
      return std::stoi(request.messages[1].content) <= most ? "right" : "wrong";
    });
  }
};

data::DataLoader<Samples> numbers(int count, std::size_t batch_size) {
  Samples samples;
  for (int i = 1; i <= count; ++i) samples.emplace_back(std::to_string(i), "right");
  return data::DataLoader<Samples>(samples, {.batch_size = batch_size});
}

/// One step on the numbers 1 to 12, with 20 more for validation.
template <class Agent>
StepReport one_step(Agent& agent, const Gate& gate) {
  const auto notes = std::make_shared<test::Notes>();
  Trainer trainer({.backward = {.model = test::critic()}, .callbacks = {notes}, .gate = gate});
  trainer.fit(agent, numbers(12, 12), numbers(20, 2));
  return notes->steps.at(0);
}

}  // namespace

TEST_CASE("the gate takes nothing that breaks a limit on a metric in the place of what keeps it", "[train][gate]") {
  struct Measured : CountsUpTo {
    using CountsUpTo::CountsUpTo;
    std::optional<StepResult> training_step(test::Batch& batch) {
      std::optional<StepResult> result = CountsUpTo::training_step(batch);
      result->metrics["length"] = static_cast<double>(prompt.text().size());
      return result;
    }
  };
  const auto [most, is_taken] =
      GENERATE(table<double, bool>({{8, true}, {7, false}, {6, true}}));  // "up to 3" has 7 characters
  Measured agent({"up to 12"});
  const auto notes = std::make_shared<test::Notes>();
  Trainer trainer({.backward = {.model = test::critic()},
                   .callbacks = {notes},
                   .gate = {.confidence = 0.9},
                   .keep = {{"length", {.min = {}, .max = most}}}});
  trainer.fit(agent, numbers(12, 12), numbers(20, 2));
  const GateReport report = *notes->steps.at(0).gate;
  CHECK(report.accepted == is_taken);
  if (!is_taken) CHECK(report.reason == "the metric \"length\" is 8, and may be 7 at the most");
}

TEST_CASE("the gate takes a proposal that is better on its batch and on the validation part", "[train][gate]") {
  CountsUpTo agent({"up to 12"});
  const GateReport report = *one_step(agent, {.confidence = 0.9}).gate;
  CHECK(report.accepted);
  CHECK(report.batch_before == Approx(3.0 / 12));
  CHECK(report.batch_after == Approx(1));
  CHECK(report.validation_before == Approx(3.0 / 20));
  CHECK(report.validation_after == Approx(12.0 / 20));
  CHECK(report.p_value == Approx(1.0 / 512));
  CHECK(agent.prompt.text() == "up to 12");
  CHECK(agent.optimizer->momentum_buffer(agent.prompt).size() == 1);
  // 12 forward; tried: 12 and 20; the first validation: 20, which is not repeated, and neither is the one after the step.
  CHECK(agent.student->calls() == 64);
}

TEST_CASE("the gate rolls a proposal back that is not better, and the optimizer remembers it", "[train][gate][concurrent]") {
  SECTION("on its own batch: validation is not tried") {
    CountsUpTo agent({"up to 2"});
    const GateReport report = *one_step(agent, {.confidence = 0.9}).gate;
    CHECK_FALSE(report.accepted);
    CHECK_THAT(report.reason, ContainsSubstring("own batch"));
    CHECK_FALSE(report.validation_after.has_value());
    CHECK(agent.prompt.text() == "up to 3");
    CHECK(agent.optimizer->momentum_buffer(agent.prompt).empty());
    CHECK(agent.optimizer->history(agent.prompt).back().value == "up to 2");
    CHECK(agent.student->calls() == 44);
  }
  SECTION("not by more than chance") {
    CountsUpTo agent({"up to 5"});
    const GateReport report = *one_step(agent, {.confidence = 0.9}).gate;
    CHECK_FALSE(report.accepted);
    CHECK(report.p_value == Approx(0.25));
    CHECK_THAT(report.reason, ContainsSubstring("confidence"));
    CHECK(agent.prompt.text() == "up to 3");
  }
  SECTION("which the next request says") {
    CountsUpTo agent({"up to 2", "up to 4"});
    Trainer trainer({.max_epochs = 2, .backward = {.model = test::critic()}, .gate = {.confidence = 0.9}});
    trainer.fit(agent, numbers(12, 12));
    REQUIRE(agent.editor->calls() == 2);
    const lm::Request second = agent.editor->requests()[1];
    std::string asked;
    for (const lm::Message& message : second.messages) asked += message.content;
    CHECK_THAT(asked, ContainsSubstring("up to 2") && ContainsSubstring("no better on the samples it was made from"));
  }
}

TEST_CASE("a gate that only keeps out what is worse takes the rest", "[train][gate]") {
  const Gate gate{.confidence = 0.8, .takes = GateRule::not_worse};
  SECTION("what is a little worse on its batch and on the validation part may be chance") {
    CountsUpTo agent({"up to 2"});
    const GateReport report = *one_step(agent, gate).gate;
    CHECK(report.accepted);
    CHECK(report.validation_before == Approx(3.0 / 20));
    CHECK(report.validation_after == Approx(2.0 / 20));
    CHECK(report.p_value == Approx(0.5));
    CHECK(agent.optimizer->history(agent.prompt).back().status == optim::HistoryEntry::Status::accepted);
    CHECK(agent.prompt.text() == "up to 3");  // the best one in validation, at the end
  }
  SECTION("clearly worse on its batch") {
    CountsUpTo agent({"up to 0"});
    const GateReport report = *one_step(agent, gate).gate;
    CHECK_FALSE(report.accepted);
    CHECK_THAT(report.reason, ContainsSubstring("clearly worse on its own batch"));
    CHECK(agent.prompt.text() == "up to 3");
    CHECK(agent.optimizer->history(agent.prompt).back().value == "up to 0");
  }
  SECTION("clearly worse on the validation part") {
    CountsUpTo agent({"up to 0"});
    const auto notes = std::make_shared<test::Notes>();
    Trainer trainer({.backward = {.model = test::critic()}, .callbacks = {notes}, .gate = gate});
    Samples training;
    for (int i = 4; i <= 9; ++i) training.emplace_back(std::to_string(i), "right");
    trainer.fit(agent, data::DataLoader<Samples>(training, {.batch_size = 6}), numbers(20, 20));
    const GateReport report = *notes->steps.at(0).gate;
    CHECK_FALSE(report.accepted);
    CHECK(report.p_value == Approx(1.0 / 8));
    CHECK_THAT(report.reason, ContainsSubstring("worse with the wanted confidence: 0.15 before, 0 after"));
    CHECK(agent.prompt.text() == "up to 3");
  }
}

TEST_CASE("the gate tries several proposals and takes the best", "[train][gate]") {
  CountsUpTo agent({"up to 6", "up to 12", "up to 2"});
  const GateReport report = *one_step(agent, {.confidence = 0.9, .proposals = 3}).gate;
  CHECK(report.accepted);
  CHECK(report.proposals == 3);
  CHECK(agent.prompt.text() == "up to 12");
}

namespace {

/// Reads its prompt when the reply is there, not when the question is asked.
struct ReadsLate : CountsUpTo {
  using CountsUpTo::CountsUpTo;
  std::optional<StepResult> training_step(test::Batch& batch) {
    const auto& [question, answer] = batch;
    const Variable reply = chat_completion(student, {{"system", {prompt}}, {"user", {"{question}"}}}, {{"question", question}});
    const Variable verdict =
        map(reply, [this](const Data& text) { return Data(prompt.text() == "up to 12" ? text.text() : "late"); });
    return exact_match_evaluator(verdict, answer, {.reduction = reduction});
  }
};

}  // namespace

TEST_CASE("a value stays in its place until all that reads it has ended", "[train][gate][concurrent]") {
  ReadsLate agent({"up to 4", "up to 12"});
  agent.student->latency(std::chrono::milliseconds(5));
  const GateReport report = *one_step(agent, {.confidence = 0.9, .proposals = 2}).gate;
  CHECK(report.batch_after == Approx(1));
  CHECK(report.accepted);
  CHECK(agent.prompt.text() == "up to 12");
}

TEST_CASE("the gate stops a proposal that is clearly worse before all of validation is tried", "[train][gate]") {
  // Right on the batch (1 to 12), and on nothing of validation that was right before.
  CountsUpTo agent({"up to 12"});
  const auto notes = std::make_shared<test::Notes>();
  Trainer trainer({.backward = {.model = test::critic()}, .callbacks = {notes}, .gate = {.confidence = 0.9}});
  Samples validation;
  for (int i = 4; i <= 12; ++i) validation.emplace_back(std::to_string(i), "wrong");
  for (int i = 0; i < 31; ++i) validation.emplace_back("20", "wrong");
  SECTION("of a dataset") { trainer.fit(agent, numbers(12, 12), data::DataLoader<Samples>(validation, {.batch_size = 5})); }
  SECTION("of a stream") { trainer.fit(agent, numbers(12, 12), data::StreamLoader<Samples>(validation, {.batch_size = 5})); }
  const GateReport report = *notes->steps.at(0).gate;
  CHECK_FALSE(report.accepted);
  CHECK_THAT(report.reason, ContainsSubstring("clearly worse before all samples were tried"));
  CHECK(agent.student->calls() == 40 + 12 + 12 + 10);
  CHECK(agent.prompt.text() == "up to 3");
}

TEST_CASE("a gate that cannot work says why", "[train][gate]") {
  CountsUpTo agent({"up to 4"});
  CHECK_THROWS_WITH(one_step(agent, {.confidence = 1.5}), ContainsSubstring("between 0 and 1"));
  CHECK_THROWS_WITH(one_step(agent, {.confidence = 0.5, .proposals = 0}), ContainsSubstring("at least 1"));
  CountsUpTo sums({"up to 4"}, Reduction::sum);
  CHECK_THROWS_WITH(one_step(sums, {.confidence = 0.5}), ContainsSubstring("Reduction::none"));
}

TEST_CASE("the paired test gives the chance that a gain is none", "[train][gate]") {
  const auto chance = [](std::vector<double> differences) { return detail::probability_of_chance(differences); };
  CHECK(chance({}) == 1);
  CHECK(chance({0, 0, 0}) == 1);
  CHECK(chance({1}) == Approx(0.5));
  CHECK(chance({1, 1, 1, 0, 0}) == Approx(0.125));
  CHECK(chance({1, 1, -1}) == Approx(0.5));  // 2 or 3 of 3 heads
  CHECK(chance({-1, -1, -1}) == Approx(1));
  CHECK(chance({3, 1}) == Approx(0.25));  // only + + is as large as 4
  CHECK(chance({3, -1}) == Approx(0.5));  // + + and + -
  CHECK(chance({0.5, 0.5, 0.5, 0.5}) == Approx(0.0625));
  // Beyond what is counted out: as many wins as losses is a coin's toss, many wins are none.
  std::vector<double> even;
  std::vector<double> wins;
  for (int i = 1; i <= 30; ++i) {
    even.push_back(i);
    even.push_back(-i);
    wins.push_back(i);
  }
  CHECK(chance(even) == Approx(0.5));
  CHECK(chance(wins) < 1e-5);
}
