#include <tgd/trainer.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <tgd/data/stream_loader.hpp>

#include "catch.hpp"
#include "train/resumable_run.hpp"
#include "train/scripted_agent.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using test::Samples;

namespace {

/// "up to 3" is right for 1, 2 and 3. Which values were asked about which question is counted.
struct Counted : test::ScriptedAgent {
  explicit Counted(const std::vector<std::string>& rewrites, Reduction how = Reduction::none) : ScriptedAgent(rewrites, how) {
    prompt.set_data("up to 3");
    student = lm::Stub::answering([this](const lm::Request& request) {
      const std::string& value = request.messages[0].content;
      const std::string& question = request.messages[1].content;
      const std::lock_guard lock(mutex);
      ++asked[{value, question}];
      return std::stoi(question) % 100 <= std::stoi(value.substr(6)) ? "right" : "wrong";
    });
  }

  /// How often a value was asked about questions from `first` to `last`.
  std::size_t calls(const std::string& value, int first, int last) const {
    std::size_t sum = 0;
    for (const auto& [key, count] : asked) {
      const int question = std::stoi(key.second);
      if (key.first == value && question >= first && question <= last) sum += count;
    }
    return sum;
  }
  /// The most often that one value was asked about one question of the validation data.
  std::size_t most_often() const {
    std::size_t most = 0;
    for (const auto& [key, count] : asked) most = std::stoi(key.second) > 100 ? std::max(most, count) : most;
    return most;
  }

  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, std::size_t> asked;
};

data::DataLoader<Samples> questions(int first, int last, std::size_t batch_size, const std::string& answer = "right") {
  Samples samples;
  for (int i = first; i <= last; ++i) samples.emplace_back(std::to_string(i), answer);
  return data::DataLoader<Samples>(samples, {.batch_size = batch_size});
}

struct Searched {
  FitResult result = {};
  std::shared_ptr<test::Notes> notes = std::make_shared<test::Notes>();
  const SearchReport& search(std::size_t step) const { return *notes->steps.at(step).search; }
};

/// A batch of 1 to 12 in each epoch, and 101 to 120 for validation, one by one.
Searched searched(Counted& agent, const Search& search, std::size_t epochs, const std::string& validation_answer = "right") {
  Searched run;
  Trainer trainer({.max_epochs = epochs, .backward = {.model = test::critic()}, .callbacks = {run.notes}, .search = search});
  run.result = trainer.fit(agent, questions(1, 12, 12), questions(101, 120, 1, validation_answer));
  return run;
}

}  // namespace

TEST_CASE("a chain's head races against what it began with, and wins", "[train][search]") {
  Counted agent({"up to 6", "up to 12"});
  const Searched run = searched(agent, {.chain = 2, .proposals = 1}, 2);
  REQUIRE(run.notes->steps.size() == 2);
  CHECK(run.search(0).step == 1);
  CHECK(run.search(0).took_one());
  CHECK_FALSE(run.search(0).race.has_value());
  const ChainRace race = run.search(1).race.value();
  CHECK(race.accepted);
  CHECK(race.steps == 2);
  CHECK(race.losses == 0);
  CHECK(race.wins > 0);
  CHECK(race.head > race.incumbent);
  CHECK(agent.prompt.text() == "up to 12");
  REQUIRE(run.notes->validations.size() == 2);
  CHECK(run.notes->validations[1].is_best);
  CHECK(run.notes->validations[1].step == 2);
  CHECK(run.result.best->step == 2);
  // The step between was never tried there.
  CHECK(agent.calls("up to 6", 101, 120) == 0);
  CHECK(agent.most_often() == 1);
}

TEST_CASE("a race ends as soon as it is clear who is better", "[train][search]") {
  SECTION("the head") {
    Counted agent({"up to 20"});
    const ChainRace race = *searched(agent, {.chain = 1, .proposals = 1}, 1).search(0).race;
    CHECK(race.accepted);
    CHECK(race.samples < 20);
    CHECK(race.evidence >= 10);
    CHECK(agent.calls("up to 20", 101, 120) == race.samples);
  }
  SECTION("the incumbent") {
    Counted agent({"up to 20"});
    const ChainRace race = *searched(agent, {.chain = 1, .proposals = 1}, 1, "wrong").search(0).race;
    CHECK_FALSE(race.accepted);
    CHECK(race.samples < 20);
    CHECK(agent.prompt.text() == "up to 3");
  }
  SECTION("neither: then all samples are tried and the mean decides") {
    Counted agent({"up to 5"});
    const ChainRace race = *searched(agent, {.chain = 1, .proposals = 1}, 1).search(0).race;
    CHECK(race.accepted);
    CHECK(race.samples == 20);
    CHECK(race.wins == 2);
    CHECK(race.evidence < 10);
  }
}

TEST_CASE("a chain that loses is taken back, and the optimizer remembers its head", "[train][search]") {
  Counted agent({"up to 9", "up to 12", "up to 4"});
  const Searched run = searched(agent, {.chain = 2, .proposals = 1}, 3, "wrong");
  CHECK_FALSE(run.search(1).race->accepted);
  CHECK(agent.prompt.text() == "up to 3");
  const optim::ParameterUpdate& update = run.notes->steps[1].updates.at(0);
  CHECK(update.old_value == "up to 9");
  CHECK(update.new_value == "up to 3");
  CHECK_THAT(update.reason, ContainsSubstring("taken back"));
  REQUIRE(agent.editor->calls() == 3);
  const lm::Request third = agent.editor->requests()[2];
  std::string asked;
  for (const lm::Message& message : third.messages) asked += message.content;
  CHECK_THAT(asked, ContainsSubstring("up to 12") && ContainsSubstring("no better on the validation part") &&
                        !ContainsSubstring("up to 9"));
  CHECK(agent.optimizer->momentum_buffer(agent.prompt).empty());
  // "up to 4" was the head of a chain that the end has cut short; it lost, too.
  CHECK_FALSE(run.search(3).race->accepted);
  CHECK(run.notes->steps[3].step_in_epoch == 0);
}

TEST_CASE("proposals are screened by halving, on samples that failed first", "[train][search]") {
  Counted agent({"up to 4", "up to 12"});
  const Searched run = searched(agent, {.chain = 2, .proposals = 2}, 1);
  const std::vector<SearchReport::Proposal>& proposals = run.search(0).proposals;
  REQUIRE(proposals.size() == 2);
  // Nine of twelve failed: five for both, four more and the three solved ones for the better.
  CHECK(agent.calls("up to 4", 1, 12) == 5);
  CHECK(agent.calls("up to 12", 1, 12) == 12);
  CHECK(proposals[0].samples == 5);
  CHECK(proposals[0].gain == Approx(1.0 / 5));
  CHECK_THAT(proposals[0].reason, ContainsSubstring("another one gained as much or more"));
  CHECK(proposals[1].samples == 12);
  CHECK(proposals[1].reason.empty());
  CHECK(proposals[0].aim != proposals[1].aim);
}

TEST_CASE("what is worse on its batch is no step, and a chain of none is not tried on the validation part", "[train][search]") {
  Counted agent({"up to 2", "up to 1"});
  const Searched run = searched(agent, {.chain = 2, .proposals = 1}, 2);
  CHECK_FALSE(run.search(0).took_one());
  CHECK_FALSE(run.search(1).race.has_value());
  CHECK(agent.calls("up to 2", 101, 120) + agent.calls("up to 1", 101, 120) == 0);
  CHECK(agent.prompt.text() == "up to 3");
  CHECK(agent.optimizer->history(agent.prompt).back().status == optim::HistoryEntry::Status::rejected);
}

TEST_CASE("what says the same as another one, or as what has lost, is dropped before it costs", "[train][search]") {
  SECTION("another proposal, the first values, the present ones") {
    Counted agent({"up to 6", "up to  6", "up to 3", "up to 6"});
    const Searched run = searched(agent, {.chain = 3, .proposals = 2}, 2);
    CHECK(run.search(0).proposals[0].reason.empty());
    CHECK_THAT(run.search(0).proposals[1].reason, ContainsSubstring("tried before"));
    for (const SearchReport::Proposal& proposal : run.search(1).proposals) {
      CHECK(proposal.samples == 0);
      CHECK_FALSE(proposal.reason.empty());
    }
    CHECK(agent.calls("up to  6", 1, 120) == 0);
  }
  SECTION("what was worse on its batch") {
    Counted agent({"up to 2", "up to 2"});
    const Searched run = searched(agent, {.chain = 3, .proposals = 1}, 2);
    CHECK_THAT(run.search(0).proposals[0].reason, ContainsSubstring("worse"));
    CHECK_THAT(run.search(1).proposals[0].reason, ContainsSubstring("tried before"));
    CHECK(agent.calls("up to 2", 1, 12) == 12);
  }
  SECTION("what has lost a race") {
    Counted agent({"up to 12", "up to 12"});
    const Searched run = searched(agent, {.chain = 1, .proposals = 1}, 2, "wrong");
    CHECK_FALSE(run.search(0).race->accepted);
    CHECK_THAT(run.search(1).proposals[0].reason, ContainsSubstring("tried before"));
    CHECK(agent.calls("up to 12", 1, 12) == 12);
    CHECK(agent.most_often() == 1);
  }
}

TEST_CASE("steps that take nothing are none of a chain", "[train][search]") {
  Counted agent({"up to 2", "up to 5", "up to 1", "up to 12"});
  const Searched run = searched(agent, {.chain = 2, .proposals = 1}, 4);
  for (const std::size_t step : {0U, 1U, 2U}) CHECK_FALSE(run.search(step).race.has_value());
  CHECK(run.search(3).step == 4);
  CHECK(run.search(3).race->steps == 2);
  CHECK(run.search(3).race->accepted);
}

TEST_CASE("the winner is confirmed on samples that no choice has seen", "[train][search]") {
  const Search search{.chain = 1, .proposals = 1, .confirm = 10};
  SECTION("it can be shown to be better") {
    Counted agent({"up to 20"});
    const Searched run = searched(agent, search, 1);
    CHECK(run.notes->validations[0].metrics.samples == 10);
    const Confirmation found = run.search(1).confirmation.value();
    CHECK(found.confirmed);
    CHECK(found.kept);
    CHECK(found.samples == 10);
    CHECK(found.last > found.first);
    CHECK(found.p_value <= 0.1);
    CHECK(agent.prompt.text() == "up to 20");
    CHECK(agent.calls("up to 3", 101, 120) == 20);
    CHECK(agent.most_often() == 1);
  }
  SECTION("it cannot, and the first values are kept") {
    Counted agent({"up to 4"});
    const Searched run = searched(agent, search, 1);
    if (run.search(0).race->accepted) {
      const Confirmation found = run.search(1).confirmation.value();
      CHECK_FALSE(found.confirmed);
      CHECK_FALSE(found.kept);
      CHECK(run.notes->validations.back().step == 0);
      CHECK(run.notes->validations.back().is_best);
    }
    CHECK(run.result.best->step == 0);
    CHECK(agent.prompt.text() == "up to 3");
  }
  SECTION("it cannot, and is kept where that is wanted") {
    Counted agent({"up to 6"});
    Search keeps = search;
    keeps.keep_unconfirmed = true;
    keeps.confidence = 0.999;
    const Searched run = searched(agent, keeps, 1);
    REQUIRE(run.search(0).race->accepted);
    CHECK_FALSE(run.search(1).confirmation->confirmed);
    CHECK(run.search(1).confirmation->kept);
    CHECK(agent.prompt.text() == "up to 6");
    CHECK(run.result.best->step == 1);
  }
  SECTION("of a small part at most half is kept for it") {
    Counted agent({"up to 2"});
    Search all = search;
    all.confirm = 1000;
    CHECK(searched(agent, all, 1).notes->validations[0].metrics.samples == 10);
  }
}

TEST_CASE("the first proposals run where the search looks, and what they win is the incumbent", "[train][search]") {
  Counted agent({"up to 12"});
  const auto notes = std::make_shared<test::Notes>();
  Trainer trainer(
      {.backward = {.model = test::critic()}, .callbacks = {notes}, .search = {.chain = 1, .proposals = 1, .confirm = 10}});
  trainer.options().first_proposals = {{"seven", {{agent.prompt, "up to 7"}}}};
  trainer.fit(agent, questions(1, 12, 12), questions(101, 120, 1));
  REQUIRE(notes->steps.size() >= 2);
  CHECK(notes->steps[0].race->entries[0].samples == 10);
  const ChainRace race = notes->steps[1].search->race.value();
  CHECK(race.wins + race.losses <= 5);  // it was seven, not three
  CHECK(agent.most_often() == 1);
}

TEST_CASE("no limit of calls is passed, and what was begun is raced and confirmed within it", "[train][search]") {
  const int limit = GENERATE(range(40, 200, 4));
  CAPTURE(limit);
  Counted agent({"up to 5", "up to 8", "up to 12", "up to 14", "up to 16", "up to 18"});
  const auto notes = std::make_shared<test::Notes>();
  Trainer trainer(
      {.max_epochs = 6, .callbacks = {notes}, .max_calls = limit, .search = {.chain = 3, .proposals = 1, .confirm = 10}});
  const auto count = [&](const lm::ChatModelPtr& model, const char* name) { return trainer.track(model, name); };
  trainer.options().backward.model = count(test::critic(), "critic");
  const lm::ChatModelPtr student = count(agent.student, "student");
  agent.tracked = student;
  agent.optimizer = std::make_shared<optim::TGD>(
      agent.parameters(), optim::TGDOptions{.model = count(agent.editor, "editor"), .momentum = 2, .max_reasks = 0});
  const FitResult result = trainer.fit(agent, questions(1, 12, 12), questions(101, 120, 1));
  CHECK(result.usage.total().usage.calls <= limit);
  const bool has_changed = agent.prompt.text() != "up to 3";
  const bool is_confirmed = std::any_of(notes->steps.begin(), notes->steps.end(), [](const StepReport& step) {
    return step.search && step.search->confirmation && step.search->confirmation->confirmed;
  });
  CHECK(has_changed == is_confirmed);
  if (limit > 150) CHECK(has_changed);
}

TEST_CASE("chains learn at least what plain steps learn", "[train][search]") {
  test::ResumableRun plan{.max_epochs = GENERATE(2U, 3U, 4U)};
  plan.validation_batch = 1;
  CAPTURE(plan.max_epochs);
  const FitResult plain = test::run(plan);
  plan.search = {.chain = GENERATE(2U, 3U), .proposals = GENERATE(1U, 2U)};
  CAPTURE(plan.search.chain, plan.search.proposals);
  const FitResult chains = test::run(plan);
  CHECK(chains.best->metrics.score > chains.first->metrics.score);
  CHECK(chains.best->metrics.score >= plain.best->metrics.score);
}

TEST_CASE("a search that cannot work says why", "[train][search]") {
  Counted agent({"up to 4"});
  const Search search{.chain = 2};
  const auto fit = [&](TrainerOptions options) {
    options.backward = {.model = test::critic()};
    Trainer(std::move(options)).fit(agent, questions(1, 12, 12), questions(101, 120, 1));
  };
  CHECK_THROWS_WITH(fit({.gate = {.confidence = 0.8}, .search = search}), ContainsSubstring("a gate and a search"));
  CHECK_THROWS_WITH(fit({.validate_every = 2, .search = search}), ContainsSubstring("validate_every"));
  CHECK_THROWS_WITH(fit({.search = {.chain = 2, .proposals = 0}}), ContainsSubstring("Search::proposals is 0"));
  CHECK_THROWS_WITH(fit({.search = {.chain = 2, .confidence = 1}}), ContainsSubstring("between 0 and 1"));
  Trainer trainer({.backward = {.model = test::critic()}, .search = search});
  CHECK_THROWS_WITH(trainer.fit(agent, questions(1, 12, 12)), ContainsSubstring("needs validation data"));
  CHECK_THROWS_WITH(trainer.fit(agent, questions(1, 12, 12), data::StreamLoader<Samples>({{"101", "right"}}, {})),
                    ContainsSubstring("size()"));
  Counted sums({"up to 4"}, Reduction::sum);
  CHECK_THROWS_WITH(trainer.fit(sums, questions(1, 12, 12), questions(101, 120, 2)), ContainsSubstring("Reduction::none"));
}
