// What momentum, the memory of rejected proposals and an acceptance gate are worth, and what boldness does, on the tickets of
// examples/tickets with the simulated model: mean and spread over seeds. A simulation says how the parts work together, not how
// much they are worth with a language model.
//
//   bench_ablation [seeds = 20]
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/random.hpp>
#include <tgd/tgd.hpp>

namespace {

using namespace tgd;

struct Ticket {
  std::string text;
  std::string label;
};
using Tickets = std::vector<Ticket>;

constexpr const char* first_prompt =
    "You sort messages from customers of a small web shop. Read the message and say what it is about: billing, technical, "
    "shipping, account or cancellation.";
constexpr std::size_t train_size = 84;
constexpr std::size_t gate_size = 40;
constexpr std::size_t batch_size = 12;
constexpr std::size_t epochs = 3;

Tickets read_tickets() {
  std::ifstream file(TGD_TEST_SOURCE_DIR "/../examples/tickets/tickets.jsonl");
  Tickets tickets;
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json record = nlohmann::json::parse(line);
    tickets.push_back({record.at("text"), record.at("label")});
  }
  return tickets;
}

struct Setting {
  std::string name;
  std::size_t momentum = 3;
  std::size_t rejected = 3;
  bool gate = true;
  double tolerance = 2;  // how many of the gate's messages a proposal may lose, net: fewer say little
  std::optional<optim::Boldness> boldness = {};
};

struct Outcome {
  double accuracy = 0;  // on tickets that were in no batch and no gate
  double accepted = 0;  // share of the proposals
  double edit = 0;      // words changed by a proposal, mean
  double repeats = 0;   // proposals that had been rejected before
};

std::pair<std::vector<std::string>, std::vector<std::string>> columns(const Tickets& tickets) {
  std::pair<std::vector<std::string>, std::vector<std::string>> columns;
  for (const Ticket& ticket : tickets) {
    columns.first.push_back(ticket.text);
    columns.second.push_back(ticket.label);
  }
  return columns;
}

class Run {
 public:
  Run(Tickets tickets, std::uint64_t seed, const Setting& setting)
      : setting_(setting), random_(seed), model_(std::make_shared<lm::Simulated>(lm::SimulatedOptions{.seed = seed})) {
    random_.shuffle(tickets);
    const auto gate = tickets.begin() + train_size;
    const auto test = gate + gate_size;
    train_.assign(tickets.begin(), gate);
    gate_.assign(gate, test);
    test_.assign(test, tickets.end());
  }

  Outcome result() {
    Variable prompt(first_prompt, "system prompt", true);
    optim::TGD optimizer(
        {prompt},
        {.model = model_, .momentum = setting_.momentum, .boldness = setting_.boldness, .rejected = setting_.rejected});
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
      random_.shuffle(train_);
      for (std::size_t at = 0; at < train_.size(); at += batch_size) {
        const auto end = train_.begin() + static_cast<std::ptrdiff_t>(std::min(at + batch_size, train_.size()));
        train_step(optimizer, prompt, {train_.begin() + static_cast<std::ptrdiff_t>(at), end});
      }
    }
    outcome_.accuracy = accuracy(prompt, test_);
    if (proposals_ > 0) {
      outcome_.accepted /= proposals_;
      outcome_.edit /= proposals_;
    }
    return outcome_;
  }

 private:
  Variable replies(const Variable& prompt, const Tickets& tickets) const {
    return chat_completion(model_, {{"system", {prompt}}, {"user", {"{ticket}"}}}, {{"ticket", columns(tickets).first}});
  }

  double accuracy(const Variable& prompt, const Tickets& tickets) const {
    const NoGradGuard guard;
    const auto labels = columns(tickets).second;
    return exact_match_evaluator(replies(prompt, tickets), labels).score.data().real() / static_cast<double>(tickets.size());
  }

  void train_step(optim::TGD& optimizer, const Variable& prompt, const Tickets& batch) {
    optimizer.clear_grad();
    exact_match_evaluator(replies(prompt, batch), columns(batch).second).explanation.backward({.model = model_});
    const double before = setting_.gate ? accuracy(prompt, gate_) : 0;
    if (setting_.gate) optimizer.report_score(before);
    optimizer.step();
    const optim::ParameterUpdate& update = optimizer.last_updates().front();
    if (update.outcome != optim::ParameterUpdate::Outcome::updated) return;
    ++proposals_;
    outcome_.edit += static_cast<double>(update.edit_distance);
    if (std::find(rejected_.begin(), rejected_.end(), update.new_value) != rejected_.end()) ++outcome_.repeats;
    const double after = setting_.gate ? accuracy(prompt, gate_) : before;
    const double lost = (before - after) * static_cast<double>(gate_size);
    if (lost < setting_.tolerance + 0.5) {
      ++outcome_.accepted;
    } else {
      rejected_.push_back(update.new_value);
      optimizer.reject("It scored less on the same messages than the value before it.", after);
    }
  }

  Setting setting_;
  Random random_;
  std::shared_ptr<lm::Simulated> model_;
  Tickets train_, gate_, test_;
  Outcome outcome_;
  double proposals_ = 0;
  std::vector<std::string> rejected_;
};

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

template <class Get>
std::vector<double> each(const std::vector<Outcome>& outcomes, Get get) {
  std::vector<double> values;
  for (const Outcome& outcome : outcomes) values.push_back(get(outcome));
  return values;
}

void report(const Setting& setting, const std::vector<Outcome>& outcomes, const std::vector<Outcome>& baseline) {
  std::vector<double> gains;
  for (std::size_t i = 0; i < outcomes.size(); ++i) gains.push_back(outcomes[i].accuracy - baseline[i].accuracy);
  const Spread accuracy = spread(each(outcomes, [](const Outcome& outcome) { return outcome.accuracy; }));
  const Spread gain = spread(gains);
  fmt::print("{:<28} {:>5.1f}% +- {:>4.1f}   {:>+5.1f} +- {:>4.1f}   {:>5.1f}%  {:>6.1f}  {:>6.2f}\n", setting.name,
             100 * accuracy.mean, 100 * accuracy.deviation, 100 * gain.mean,
             100 * gain.deviation / std::sqrt(static_cast<double>(outcomes.size())),
             100 * spread(each(outcomes, [](const Outcome& outcome) { return outcome.accepted; })).mean,
             spread(each(outcomes, [](const Outcome& outcome) { return outcome.edit; })).mean,
             spread(each(outcomes, [](const Outcome& outcome) { return outcome.repeats; })).mean);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20;
  const Tickets tickets = read_tickets();
  const std::vector<Setting> settings{
      {.name = "all"},
      {.name = "without momentum", .momentum = 0},
      {.name = "without rejected proposals", .rejected = 0},
      {.name = "without the gate", .gate = false},
      {.name = "a gate without tolerance", .tolerance = 0},
      {.name = "none of the three", .momentum = 0, .rejected = 0, .gate = false},
      {.name = "all, conservative", .boldness = optim::Boldness::conservative},
      {.name = "all, moderate", .boldness = optim::Boldness::moderate},
      {.name = "bold, without the gate", .gate = false, .boldness = optim::Boldness::bold},
      {.name = "all, bold", .boldness = optim::Boldness::bold},
  };
  fmt::print(
      "{} seeds; accuracy on {} tickets that were never shown, mean and standard deviation; difference to \"all\" by seed, "
      "mean and\n"
      "standard error; accepted proposals; words changed by a proposal; proposals made again after they were rejected\n\n",
      seeds, tickets.size() - train_size - gate_size);
  std::vector<Outcome> baseline;
  for (const Setting& setting : settings) {
    std::vector<Outcome> outcomes;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) outcomes.push_back(Run(tickets, seed, setting).result());
    if (baseline.empty()) baseline = outcomes;
    report(setting, outcomes, baseline);
  }
}
