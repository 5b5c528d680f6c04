#include "train/race.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/mean.hpp"
#include "train/paired_test.hpp"

namespace tgd::detail {

using optim::ParameterUpdate;

double race_share(std::size_t proposals) {
  const auto all = static_cast<double>(proposals);
  const auto half = static_cast<double>((proposals + 1) / 2);
  return proposals == 0 ? 0 : all / 8 + half / 8 + 3.0 / 4;
}

Race::Race(const std::vector<FirstProposal>& proposals, const Trainee& trainee, Validation& validation, bool higher_is_better)
    : validation_(validation), start_(validation.version()), higher_is_better_(higher_is_better) {
  optimizers_ = tgd_optimizers(trainee, "TrainerOptions::first_proposals need optimizers that can try values: optim::TGD");
  const Scores known = validation.known();
  if (known.samples.size() != known.means.samples)
    throw ValueError(
        "TrainerOptions::first_proposals are compared sample by sample, but the evaluator gives a batch one score: use "
        "Reduction::none");
  for (const FirstProposal& proposal : proposals) enter(proposal);
}

/// What changes nothing, or the same as one before, does not run.
void Race::enter(const FirstProposal& proposal) {
  report_.entries.push_back({proposal.name});
  RaceReport::Entry& entry = report_.entries.back();
  Lane lane{.entry = report_.entries.size() - 1, .proposal = {}};
  std::set<const void*> known;
  for (optim::TGD* optimizer : optimizers_) {
    std::vector<optim::Suggestion> own;
    const std::vector<Variable> parameters = optimizer->parameters();
    for (const auto& value : proposal.values) {
      const bool is_own = std::any_of(parameters.begin(), parameters.end(),
                                      [&](const Variable& parameter) { return is_same(parameter, value.parameter); });
      if (is_own) own.push_back(value);
    }
    for (const auto& value : own) known.insert(tgd::detail::impl_of(value.parameter).get());
    lane.proposal.push_back(optimizer->suggest(own));
  }
  if (known.size() != proposal.values.size())
    throw ValueError(
        fmt::format("TrainerOptions::first_proposals: \"{}\" has a value for what is no parameter of an optimizer, or two "
                    "for one",
                    proposal.name));
  for (const ParameterUpdate& update : updates_of(lane.proposal)) {
    if (update.outcome == ParameterUpdate::Outcome::kept) entry.reason = update.reason;
  }
  const bool is_there = std::any_of(lanes_.begin(), lanes_.end(),
                                    [&](const Lane& other) { return values_of(other.proposal) == values_of(lane.proposal); });
  if (entry.reason.empty() && !changes_something(lane.proposal)) entry.reason = "it changes nothing";
  if (entry.reason.empty() && is_there) entry.reason = "another one has the same values";
  if (entry.reason.empty()) lanes_.push_back(std::move(lane));
}

bool Race::run(const std::function<bool()>& is_stopped) {
  const std::size_t all = validation_.samples();
  const auto share = [all](std::size_t part) { return std::max<std::size_t>(all / part, 1); };
  std::vector<Lane*> running;
  for (Lane& lane : lanes_) running.push_back(&lane);
  // Of equals the later one is ahead: it says more.
  const auto keep_best = [&](std::size_t count) {
    std::stable_sort(running.begin(), running.end(), [&](const Lane* a, const Lane* b) {
      const double first = mean(gains_of(*a));
      const double second = mean(gains_of(*b));
      return first != second ? first > second : a->entry > b->entry;
    });
    running.resize(std::min(count, running.size()));
  };
  for (const std::size_t part : {std::size_t{8}, std::size_t{4}, std::size_t{1}}) {
    if (is_stopped()) return false;
    if (part == 1) keep_best(1);
    if (part == 4) keep_best((lanes_.size() + 1) / 2);
    try {
      advance(running, share(part));
    } catch (const BudgetError&) {
      // What is clearly better shows it on fewer samples, too.
      if (part != 1) throw;
      cut_by_ = std::current_exception();
    }
  }
  report_.best = running.front()->entry;
  for (const Lane& lane : lanes_) {
    report_.entries[lane.entry].samples = lane.scores.means.samples;
    report_.entries[lane.entry].score = lane.scores.means.score;
  }
  return true;
}

/// One after the other: what was asked for may read a value until its scores are there, and only then is another put in its place.
void Race::advance(const std::vector<Lane*>& lanes, std::size_t samples) {
  for (Lane* lane : lanes) {
    if (lane->scores.means.samples >= samples) continue;
    const Trials trials = try_out(lane->proposal, optimizers_);
    lane->version = validation_.version();
    try {
      lane->scores = validation_.measure_first(samples);
    } catch (const BudgetError&) {
      lane->scores = validation_.known();
      throw;
    }
  }
}

std::vector<double> Race::gains_of(const Lane& lane) const {
  return validation_.gains(start_, lane.version, higher_is_better_);
}

std::vector<double> Race::gains() const { return gains_of(best()); }

/// With all samples a gain is one; with fewer it has to be more than chance.
bool Race::is_better() const {
  constexpr double by_chance = 0.05;
  const std::vector<double> all = gains();
  return cut_by_ ? probability_of_chance(all) <= by_chance : std::accumulate(all.begin(), all.end(), 0.0) > 0;
}

const Race::Lane& Race::best() const {
  return *std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& lane) { return lane.entry == report_.best; });
}

void Race::accept() {
  for (std::size_t i = 0; i < optimizers_.size(); ++i) optimizers_[i]->commit(best().proposal[i]);
  report_.accepted = true;
}

std::vector<ParameterUpdate> Race::updates() const {
  std::vector<ParameterUpdate> updates = updates_of(best().proposal);
  if (!report_.accepted) mark_rejected(updates, "not better on the validation part");
  return updates;
}

}  // namespace tgd::detail
