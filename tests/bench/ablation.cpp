// What momentum, the memory of rejected proposals and the Trainer's gate are worth, and what boldness does, on the tickets of
// examples/tickets with the simulated model: mean and spread over seeds. A simulation says how the parts work together, not how
// much they are worth with a language model.
//
//   bench_ablation [seeds = 20] [first seed = 0]
//
// Nothing was chosen by these figures: a confidence of 0.7 is the middle of what is sensible, and the others stand beside it. Of
// several proposals the simulated model makes the same one again, so that their number only costs calls here.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/random.hpp>
#include <tgd/tgd.hpp>
#include <tgd/trainer.hpp>

namespace {

using namespace tgd;

using Ticket = std::pair<std::string, std::string>;  // text and label
using Tickets = std::vector<Ticket>;

constexpr const char* first_prompt =
    "You sort messages from customers of a small web shop. Read the message and say what it is about: billing, technical, "
    "shipping, account or cancellation.";
constexpr std::ptrdiff_t train_size = 84;
constexpr std::ptrdiff_t validation_size = 40;
constexpr std::size_t batch_size = 12;
constexpr std::size_t epochs = 3;
constexpr Gate gate{.confidence = 0.7, .proposals = 4};

Tickets read_tickets() {
  std::ifstream file(TGD_TEST_SOURCE_DIR "/../examples/tickets/tickets.jsonl");
  Tickets tickets;
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json record = nlohmann::json::parse(line);
    tickets.emplace_back(record.at("text"), record.at("label"));
  }
  return tickets;
}

struct Setting {
  std::string name;
  std::size_t momentum = 3;
  std::size_t rejected = 3;
  Gate gate = ::gate;
  std::optional<optim::Boldness> boldness = {};
};

struct Sorter : Module {
  Sorter(lm::ChatModelPtr tracked, const Setting& setting)
      : model(std::move(tracked)),
        optimizer(std::make_shared<optim::TGD>(parameters(), optim::TGDOptions{.model = model,
                                                                               .momentum = setting.momentum,
                                                                               .boldness = setting.boldness,
                                                                               .rejected = setting.rejected,
                                                                               .history = 1000})) {}

  std::optional<StepResult> training_step(std::tuple<Variable, Variable>& batch) {
    const auto& [tickets, labels] = batch;
    const Variable replies = chat_completion(model, {{"system", {prompt}}, {"user", {"{ticket}"}}}, {{"ticket", tickets}});
    return exact_match_evaluator(replies, labels, {.reduction = Reduction::none});
  }
  std::shared_ptr<optim::Optimizer> configure_optimizers() { return optimizer; }

  lm::ChatModelPtr model;
  Parameter prompt = register_parameter("prompt", {first_prompt, "system prompt"});
  std::shared_ptr<optim::TGD> optimizer;
};

struct Outcome {
  double accuracy = 0;  // on tickets that were in no batch and no validation
  double accepted = 0;  // share of the proposals that were decided on
  double edit = 0;      // words changed by a proposal, mean
  double repeats = 0;   // proposals that had been rejected before
  double calls = 0;
};

/// Adds up what the steps' reports say.
struct Notes : TrainerCallback {
  void on_step(const StepReport& report) override {
    for (const optim::ParameterUpdate& update : report.updates) {
      if (update.new_value == update.old_value) continue;
      ++proposals;
      words += static_cast<double>(update.edit_distance);
    }
  }
  double proposals = 0;
  double words = 0;
};

void add_history(const std::vector<optim::HistoryEntry>& history, Outcome& outcome) {
  std::set<std::string> rejected;
  double accepted = 0;
  double all = 0;
  for (const optim::HistoryEntry& entry : history) {
    const bool is_rejected = entry.status == optim::HistoryEntry::Status::rejected;
    if (is_rejected && !rejected.insert(entry.value).second) ++outcome.repeats;
    if (entry.status == optim::HistoryEntry::Status::accepted) ++accepted;
    if (is_rejected || entry.status == optim::HistoryEntry::Status::accepted) ++all;
  }
  outcome.accepted = all > 0 ? accepted / all : 0;
}

/// The same tickets, order and model for each setting of a seed.
Outcome run(Tickets tickets, std::uint64_t seed, const Setting& setting) {
  Random(seed).shuffle(tickets);
  using Loader = data::DataLoader<Tickets>;
  const auto validation = tickets.begin() + train_size;
  const auto test = validation + validation_size;
  const Loader train_loader({tickets.begin(), validation}, {.batch_size = batch_size, .shuffle = true, .seed = seed});
  const Loader validation_loader({validation, test}, {.batch_size = validation_size / 4});
  const Loader test_loader({test, tickets.end()}, {.batch_size = 100});

  const auto notes = std::make_shared<Notes>();
  Trainer trainer({.max_epochs = epochs, .callbacks = {notes}, .gate = setting.gate});
  Sorter sorter(trainer.track(std::make_shared<lm::Simulated>(lm::SimulatedOptions{.seed = seed})), setting);
  trainer.options().backward.model = sorter.model;
  const FitResult result = trainer.fit(sorter, train_loader, validation_loader);

  Outcome outcome;
  outcome.accuracy = trainer.test(sorter, test_loader).score;
  outcome.edit = notes->proposals > 0 ? notes->words / notes->proposals : 0;
  outcome.calls = static_cast<double>(result.usage.total().usage.calls);
  add_history(sorter.optimizer->history(sorter.prompt), outcome);
  return outcome;
}

struct Spread {
  double mean;
  double deviation;
};

Spread spread(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, values.size() > 1 ? std::sqrt(squares / (count - 1)) : 0};
}

Spread spread(const std::vector<Outcome>& outcomes, double Outcome::*figure) {
  std::vector<double> values;
  for (const Outcome& outcome : outcomes) values.push_back(outcome.*figure);
  return spread(values);
}

void report(const Setting& setting, const std::vector<Outcome>& outcomes, const std::vector<Outcome>& baseline) {
  std::vector<double> gains;
  for (std::size_t i = 0; i < outcomes.size(); ++i) gains.push_back(outcomes[i].accuracy - baseline[i].accuracy);
  const Spread accuracy = spread(outcomes, &Outcome::accuracy);
  const Spread gain = spread(gains);
  fmt::print("{:<36} {:>5.1f}% +- {:>4.1f}   {:>+5.1f} +- {:>4.1f}   {:>5.1f}%  {:>6.1f}  {:>6.2f}  {:>6.0f}\n", setting.name,
             100 * accuracy.mean, 100 * accuracy.deviation, 100 * gain.mean,
             100 * gain.deviation / std::sqrt(static_cast<double>(outcomes.size())),
             100 * spread(outcomes, &Outcome::accepted).mean, spread(outcomes, &Outcome::edit).mean,
             spread(outcomes, &Outcome::repeats).mean, spread(outcomes, &Outcome::calls).mean);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const Tickets tickets = read_tickets();
  const std::vector<Setting> settings{
      {.name = "all"},
      {.name = "without momentum", .momentum = 0},
      {.name = "without rejected proposals", .rejected = 0},
      {.name = "without the gate", .gate = {}},
      {.name = "without the gate and momentum", .momentum = 0, .gate = {}},
      {.name = "gate 0.6, 1 proposal", .gate = {.confidence = 0.6, .proposals = 1}},
      {.name = "the same, without rejected proposals", .rejected = 0, .gate = {.confidence = 0.6, .proposals = 1}},
      {.name = "gate 0.7, 1 proposal", .gate = {.confidence = 0.7, .proposals = 1}},
      {.name = "gate 0.8, 1 proposal", .gate = {.confidence = 0.8, .proposals = 1}},
      {.name = "gate 0.5, 4 proposals", .gate = {.confidence = 0.5, .proposals = 4}},
      {.name = "gate 0.6, 4 proposals", .gate = {.confidence = 0.6, .proposals = 4}},
      {.name = "gate 0.7, 4 proposals", .gate = {.confidence = 0.7, .proposals = 4}},
      {.name = "gate 0.8, 4 proposals", .gate = {.confidence = 0.8, .proposals = 4}},
      {.name = "not worse by 0.6, 1 proposal", .gate = {.confidence = 0.6, .takes = GateRule::not_worse}},
      {.name = "not worse by 0.7, 1 proposal", .gate = {.confidence = 0.7, .takes = GateRule::not_worse}},
      {.name = "not worse by 0.8, 1 proposal", .gate = {.confidence = 0.8, .takes = GateRule::not_worse}},
      {.name = "not worse by 0.9, 1 proposal", .gate = {.confidence = 0.9, .takes = GateRule::not_worse}},
      {.name = "all, conservative", .boldness = optim::Boldness::conservative},
      {.name = "all, moderate", .boldness = optim::Boldness::moderate},
      {.name = "all, bold", .boldness = optim::Boldness::bold},
  };
  fmt::print(
      "{} seeds from {} on; accuracy on {} tickets that were never shown, mean and standard deviation; difference to \"all\" "
      "by "
      "seed, mean\nand standard error; accepted proposals; words changed by a proposal; proposals made again after they were "
      "rejected; calls\n\n",
      seeds, first, static_cast<std::ptrdiff_t>(tickets.size()) - train_size - validation_size);
  std::vector<Outcome> baseline;
  for (const Setting& setting : settings) {
    std::vector<Outcome> outcomes;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) outcomes.push_back(run(tickets, seed, setting));
    if (baseline.empty()) baseline = outcomes;
    report(setting, outcomes, baseline);
  }
}
