#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tgd/trainer.hpp>

#include "catch.hpp"
#include "train/race.hpp"
#include "train/scripted_agent.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

/// "up to 3" is right for the first three of all numbers.
struct Racer : test::ScriptedAgent {
  explicit Racer(const std::vector<std::string>& rewrites = {}) : ScriptedAgent(rewrites, Reduction::none) {
    prompt.set_data("up to 3");
    student = lm::Stub::answering([](const lm::Request& request) {
      const int most = std::stoi(request.messages[0].content.substr(6));
      // Hard and easy ones in turn, so that every part of them has both.
      const int number = std::stoi(request.messages[1].content);
      return number % 2 == 1 ? (most > 20 ? "right" : "wrong") : number <= most ? "right" : "wrong";
    });
  }

  std::vector<FirstProposal> proposals(const std::vector<std::string>& values) const {
    std::vector<FirstProposal> all;
    for (const std::string& value : values) all.push_back({"to " + value.substr(6), {{prompt, value}}});
    return all;
  }
};

data::DataLoader<test::Samples> raced_numbers(int count, std::size_t batch_size) {
  test::Samples samples;
  for (int i = 1; i <= count; ++i) samples.emplace_back(std::to_string(i), "right");
  return data::DataLoader<test::Samples>(samples, {.batch_size = batch_size});
}

struct Raced {
  StepReport report;
  std::shared_ptr<test::Notes> notes = std::make_shared<test::Notes>();
  std::size_t calls = 0;  // of the race alone
};

/// 40 numbers are the validation part, and no training follows.
Raced raced(Racer& agent, const std::vector<std::string>& values, const Gate& gate = {}, std::size_t batch_size = 5) {
  Raced result;
  Trainer trainer({.backward = {.model = test::critic()}, .callbacks = {result.notes}, .gate = gate});
  trainer.options().first_proposals = agent.proposals(values);
  trainer.fit(agent, data::DataLoader<test::Samples>({}, {}), raced_numbers(40, batch_size));
  result.report = result.notes->steps.at(0);
  result.calls = agent.student->calls() - 40;
  return result;
}

}  // namespace

TEST_CASE("first proposals are raced in rounds on the validation part, and the best is taken", "[train][race]") {
  Racer agent;
  const Raced result = raced(agent, {"up to 5", "up to 25", "up to 9", "up to 2"});
  REQUIRE(result.report.race.has_value());
  const RaceReport& race = *result.report.race;
  CHECK(race.accepted);
  REQUIRE(race.best == 1);
  CHECK(race.entries[1].name == "to 25");
  CHECK(race.entries[1].samples == 40);
  CHECK(race.entries[1].score == Approx(32.0 / 40));
  // An eighth for each, a quarter for the better half, all of it for the best.
  CHECK(race.entries[0].samples == 5);
  CHECK(race.entries[3].samples == 5);
  CHECK(race.entries[2].samples == 10);
  CHECK(result.calls == 4 * 5 + 2 * 5 + 30);
  CHECK(detail::race_share(4) * 40 == Approx(static_cast<double>(result.calls)));
  CHECK(agent.prompt.text() == "up to 25");
  CHECK(result.report.step == 1);
  CHECK(result.report.step_in_epoch == 0);
  REQUIRE(result.report.updates.size() == 1);
  CHECK(result.report.updates[0].outcome == optim::ParameterUpdate::Outcome::updated);
}

TEST_CASE("the scores of the race are the run's first new validation, and no sample is paid for again", "[train][race]") {
  Racer agent;
  const Raced result = raced(agent, {"up to 25"});
  REQUIRE(result.notes->validations.size() == 2);
  CHECK(result.notes->validations[0].step == 0);
  CHECK(result.notes->validations[1].step == 1);
  CHECK(result.notes->validations[1].is_best);
  CHECK(result.notes->validations[1].metrics.score == Approx(32.0 / 40));
  CHECK(result.calls == 40);
  CHECK(agent.optimizer->history(agent.prompt).back().status == optim::HistoryEntry::Status::accepted);
}

TEST_CASE("what is not better changes nothing", "[train][race]") {
  Racer agent;
  SECTION("it scores less") {
    const Raced result = raced(agent, {"up to 2", "up to 1"});
    CHECK_FALSE(result.report.race->accepted);
    CHECK(result.report.updates.at(0).outcome == optim::ParameterUpdate::Outcome::rejected);
    CHECK(result.notes->validations.size() == 1);
  }
  SECTION("by chance alone, where a gate stands") {
    const Raced result = raced(agent, {"up to 4"}, {.confidence = 0.9});
    CHECK(result.report.race->entries[0].score > 1.0 / 40);
    CHECK_FALSE(result.report.race->accepted);
  }
  CHECK(agent.prompt.text() == "up to 3");
  CHECK(agent.optimizer->history(agent.prompt).empty());
}

TEST_CASE("what may not be taken, or is there already, does not run", "[train][race]") {
  Racer agent;
  agent.optimizer = std::make_shared<optim::TGD>(
      agent.parameters(), optim::TGDOptions{.model = agent.editor, .constraints = {optim::Constraint::forbids("25")}});
  const Raced result = raced(agent, {"up to 25", "up to 3", "up to 6", "up to 6"});
  const RaceReport& race = *result.report.race;
  CHECK_THAT(race.entries[0].reason, ContainsSubstring("25"));
  CHECK_THAT(race.entries[1].reason, ContainsSubstring("changes nothing"));
  CHECK(race.entries[2].reason.empty());
  CHECK_THAT(race.entries[3].reason, ContainsSubstring("same values"));
  CHECK(race.best == 2);
  CHECK(result.calls == 40);
}

TEST_CASE("a race that nobody can run costs nothing and is no step", "[train][race]") {
  Racer agent({"up to 4"});
  const auto notes = std::make_shared<test::Notes>();
  Trainer trainer({.backward = {.model = test::critic()}, .callbacks = {notes}});
  trainer.options().first_proposals = agent.proposals({"up to 3"});
  trainer.fit(agent, raced_numbers(4, 4), raced_numbers(8, 8));
  REQUIRE(notes->steps.size() == 1);
  CHECK_FALSE(notes->steps[0].race.has_value());
}

TEST_CASE("the race is the first step, and the batches follow", "[train][race]") {
  Racer agent({"up to 26"});
  const auto notes = std::make_shared<test::Notes>();
  Trainer trainer({.backward = {.model = test::critic()}, .callbacks = {notes}});
  trainer.options().first_proposals = agent.proposals({"up to 4"});
  const FitResult result = trainer.fit(agent, raced_numbers(4, 4), raced_numbers(40, 5));
  REQUIRE(notes->steps.size() == 2);
  CHECK(notes->steps[1].step == 2);
  CHECK(notes->steps[1].step_in_epoch == 1);
  CHECK(result.steps == 2);
  CHECK(agent.prompt.text() == "up to 26");
}

TEST_CASE("the race does not count for max_steps", "[train][race]") {
  Racer agent({"up to 26", "up to 27"});
  const auto notes = std::make_shared<test::Notes>();
  Trainer trainer({.max_epochs = 3, .backward = {.model = test::critic()}, .callbacks = {notes}, .max_steps = 1});
  trainer.options().first_proposals = agent.proposals({"up to 4"});
  const FitResult result = trainer.fit(agent, raced_numbers(4, 4), raced_numbers(40, 5));
  CHECK(result.ending == Ending::steps);
  REQUIRE(notes->steps.size() == 2);
  CHECK(notes->steps[0].race.has_value());
  CHECK(notes->steps[1].step_in_epoch == 1);
  CHECK(agent.prompt.text() == "up to 26");
}

TEST_CASE("a loader that gives all samples at once makes a race of one round", "[train][race]") {
  Racer agent;
  const Raced result = raced(agent, {"up to 9", "up to 25"}, {}, 40);
  CHECK(result.report.race->best == 1);
  CHECK(result.calls == 80);
}

TEST_CASE("a race needs scores by sample, and optimizers that can try values", "[train][race]") {
  test::ScriptedAgent agent({});  // whose evaluator sums up
  Trainer trainer({.backward = {.model = test::critic()}});
  trainer.options().first_proposals = {{"other", {{agent.prompt, "other"}}}};
  CHECK_THROWS_WITH(trainer.fit(agent, test::loader({"start"}), test::loader({"start", "start"}, 2)),
                    ContainsSubstring("Reduction::none"));
  Racer racer;
  trainer.options().first_proposals = {{"unknown", {{Variable("x", "no parameter", true), "other"}}}};
  CHECK_THROWS_WITH(trainer.fit(racer, raced_numbers(4, 4), raced_numbers(8, 4)), ContainsSubstring("\"unknown\""));
}

TEST_CASE("where the budget ends the last round, what is clearly better is kept", "[train][race]") {
  const auto ends_within = [](int calls, const std::string& value) {
    auto agent = std::make_unique<Racer>();
    agent->student = lm::Stub::answering([calls, made = 0](const lm::Request& request) mutable {
      if (++made > calls) throw BudgetError("the budget is used up");
      const int most = std::stoi(request.messages[0].content.substr(6));
      return std::stoi(request.messages[1].content) <= most ? "right" : "wrong";
    });
    const auto notes = std::make_shared<test::Notes>();
    Trainer trainer({.backward = {.model = test::critic()}, .callbacks = {notes}});
    trainer.options().first_proposals = agent->proposals({value});
    CHECK_THROWS_AS(trainer.fit(*agent, raced_numbers(4, 4), raced_numbers(40, 1)), BudgetError);
    return std::pair(std::move(agent), notes);
  };
  SECTION("better on 17 of the 20 samples that could be tried") {
    const auto [agent, notes] = ends_within(60, "up to 25");
    CHECK(agent->prompt.text() == "up to 25");
    REQUIRE(notes->steps.size() == 1);
    CHECK(notes->steps[0].race->entries[0].samples == 20);
    CHECK(notes->validations.back().metrics.samples == 20);
  }
  SECTION("better on two: that may be chance") {
    const auto [agent, notes] = ends_within(60, "up to 5");
    CHECK(agent->prompt.text() == "up to 3");
    CHECK(notes->steps.empty());
  }
  SECTION("before the last round nothing is known of anything") {
    const auto [agent, notes] = ends_within(44, "up to 25");
    CHECK(agent->prompt.text() == "up to 3");
  }
}
