#include "train/chain_search.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "core/digest.hpp"
#include "core/mean.hpp"
#include "core/text.hpp"
#include "core/variable_impl.hpp"
#include "optim/reply/word_runs.hpp"
#include "train/evidence.hpp"
#include "train/gatekeeper.hpp"
#include "train/paired_test.hpp"

namespace tgd::detail {

namespace {

using optim::Aim;
using optim::ParameterUpdate;

constexpr std::size_t most_proposals = 100;

void check(const Search& search) {
  if (!(search.confidence > 0 && search.confidence < 1))
    throw ValueError(fmt::format("Search::confidence is {}; it has to be between 0 and 1, such as 0.9", search.confidence));
  if (search.proposals == 0 || search.proposals > most_proposals)
    throw ValueError(fmt::format("Search::proposals is {}; it has to be from 1 to {}", search.proposals, most_proposals));
}

Validation& there(Validation* validation) {
  if (validation == nullptr)
    throw ValueError("TrainerOptions::search needs validation data: that is where a chain has to show that it is better");
  return *validation;
}

/// The same for values that differ in blanks only.
std::string gist_of(const std::vector<std::string>& values) {
  Digest digest;
  for (const std::string& value : values) {
    std::string words;
    for (const char c : value) {
      const bool is_blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
      if (!is_blank) {
        words += c;
      } else if (!words.empty() && words.back() != ' ') {
        words += ' ';
      }
    }
    digest.add(trim(words));
  }
  return digest.hex();
}

bool insert(std::vector<std::string>& set, const std::string& entry) {
  const auto place = std::lower_bound(set.begin(), set.end(), entry);
  if (place != set.end() && *place == entry) return false;
  set.insert(place, entry);
  return true;
}

double sum(const std::vector<double>& numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0.0); }

/// Other values in the place of the parameters', while it lives. Nothing may be on its way that reads them at either end.
class Values {
 public:
  Values(const std::vector<Variable>& parameters, const std::vector<std::string>& values) : parameters_(parameters) {
    for (Variable& parameter : parameters_) own_.push_back(parameter.data());
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set_data(values[i]);
  }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  ~Values() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set_data(std::move(own_[i]));
  }

 private:
  std::vector<Variable> parameters_;
  std::vector<Data> own_;
};

}  // namespace

ChainSearch::ChainSearch(const Search& options, const std::map<std::string, Limits>& keep, bool higher_is_better,
                         const Trainee& trainee, Validation* validation, SearchState& state)
    : options_(options),
      keep_(keep),
      higher_is_better_(higher_is_better),
      trainee_(trainee),
      validation_(there(validation)),
      state_(state) {
  check(options);
  if (!trainee.automatic)
    throw ValueError("the search takes the steps itself; it does not go with automatic_optimization = false");
  optimizers_ = tgd_optimizers(trainee, "TrainerOptions::search needs optimizers that can propose: optim::TGD");
  parameters_ = parameters_of(trainee);
  validation_.shuffle(options.seed, options.confirm);
}

std::vector<std::string> ChainSearch::values() const {
  std::vector<std::string> values;
  for (const Variable& parameter : parameters_) values.push_back(parameter.data().text());
  return values;
}

void ChainSearch::set_values(const std::vector<std::string>& values) const {
  std::vector<Variable> own = parameters_;
  for (std::size_t i = 0; i < own.size(); ++i) own[i].set_data(values[i]);
}

void ChainSearch::begin() {
  if (!state_.first.empty()) return;
  state_.first = values();
  adopt();
}

void ChainSearch::adopt() {
  state_.incumbent = values();
  state_.steps = state_.taken = 0;
  insert(state_.tried, gist_of(state_.incumbent));
}

// ---- A step ----------------------------------------------------------------------------------------------------------

/// For each optimizer those of a step. In each step of a chain they begin with another one.
std::vector<std::vector<Aim>> ChainSearch::aims() const {
  std::vector<std::vector<Aim>> all;
  for (const optim::TGD* optimizer : optimizers_) {
    const std::vector<Aim> wanted = optimizer->aims();
    std::vector<Aim> chosen;
    for (std::size_t i = 0; i < options_.proposals; ++i) chosen.push_back(wanted[(state_.steps + i) % wanted.size()]);
    all.push_back(std::move(chosen));
  }
  return all;
}

/// Those that change something and say what no version before has said.
std::vector<ChainSearch::Lane> ChainSearch::propose(SearchReport& report) {
  const std::vector<std::vector<Aim>> wanted = aims();
  std::vector<std::vector<optim::Candidate>> of_optimizer;
  for (std::size_t i = 0; i < optimizers_.size(); ++i) of_optimizer.push_back(optimizers_[i]->propose(wanted[i]));
  std::vector<Lane> lanes;
  std::vector<std::string> known = state_.tried;
  for (std::size_t i = 0; i < options_.proposals; ++i) {
    report.proposals.push_back({.aim = std::string(optim::to_string(wanted.front()[i]))});
    Lane lane{.proposal = {}, .entry = i};
    for (auto& candidates : of_optimizer) lane.proposal.push_back(std::move(candidates[i]));
    if (i == 0) {
      last_updates_ = updates_of(lane.proposal);
      mark_rejected(last_updates_, {});
    }
    std::string& reason = report.proposals.back().reason;
    if (!changes_something(lane.proposal)) {
      reason = "it changes nothing";
    } else if (!insert(known, gist_of(values_of(lane.proposal)))) {
      reason = "it says what was tried before";
    } else {
      lanes.push_back(std::move(lane));
    }
  }
  return lanes;
}

/// By what the evaluator said of them; else those that others of the batch are better than.
std::vector<std::size_t> ChainSearch::failing(const Scores& scores) const {
  std::vector<std::size_t> failed;
  for (const Variable& parameter : parameters_) {
    for (const Variable& gradient : parameter.grad()) {
      const auto& extras = impl_of(gradient)->extras;
      if (!extras || extras->outcomes.empty() || extras->outcomes.front()->samples.size() != scores.samples.size()) continue;
      const std::vector<SampleOutcome>& samples = extras->outcomes.front()->samples;
      for (std::size_t i = 0; i < samples.size(); ++i) {
        if (!samples[i].is_solved) failed.push_back(i);
      }
      return failed;
    }
  }
  const auto [least, most] = std::minmax_element(scores.samples.begin(), scores.samples.end());
  for (std::size_t i = 0; i < scores.samples.size(); ++i) {
    if (*least == *most || scores.samples[i] != (higher_is_better_ ? *most : *least)) failed.push_back(i);
  }
  return failed;
}

/// One proposal after the other: what the step asks for may read a value until its scores are there.
void ChainSearch::try_on(Lane& lane, const BatchStep& batch, std::span<const std::size_t> samples, const Scores& before) const {
  if (samples.empty()) return;
  const NoGradGuard no_grad;
  trainee_.set_mode(false);
  const Trials trials = try_out(lane.proposal, optimizers_);
  const bool is_whole = samples.size() == batch.samples || !batch.run_part;
  const std::optional<StepResult> result = is_whole ? batch.run() : batch.run_part(samples);
  if (!result) throw ValueError("the search tries a batch again, and the step that gave it a score skipped it then");
  const Scores after = settled(samples.size(), *result);
  trainee_.set_mode(true);
  if (after.samples.size() != samples.size())
    throw ValueError("the search compares sample by sample, but the evaluator gives a batch one score: use Reduction::none");
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double gain = after.samples[i] - before.samples[samples[i]];
    lane.gains.push_back(higher_is_better_ ? gain : -gain);
  }
}

/// By halving, on the samples that failed; the best then on as many that were solved. The best is in front afterwards, and what
/// was given up behind it.
void ChainSearch::screen(std::vector<Lane>& lanes, const BatchStep& batch, const Scores& before) const {
  std::vector<std::size_t> whole(batch.samples);
  std::iota(whole.begin(), whole.end(), std::size_t{0});
  const std::vector<std::size_t> failed = batch.run_part ? failing(before) : whole;
  const std::span<const std::size_t> all(failed);
  const std::size_t half = batch.run_part ? (failed.size() + 1) / 2 : failed.size();
  std::size_t running = lanes.size();
  for (const std::span<const std::size_t> part : {all.first(half), all.subspan(half)}) {
    for (std::size_t i = 0; i < running; ++i) try_on(lanes[i], batch, part, before);
    std::stable_sort(lanes.begin(), lanes.begin() + static_cast<std::ptrdiff_t>(running),
                     [](const Lane& a, const Lane& b) { return mean(a.gains) > mean(b.gains); });
    running = (running + 1) / 2;
  }
  if (sum(lanes.front().gains) < 0) return;
  std::vector<std::size_t> solved;
  std::set_difference(whole.begin(), whole.end(), failed.begin(), failed.end(), std::back_inserter(solved));
  solved.resize(std::min(solved.size(), failed.size()));
  try_on(lanes.front(), batch, solved, before);
}

void ChainSearch::decide(std::vector<Lane>& lanes, SearchReport& report) {
  for (Lane& lane : lanes) {
    SearchReport::Proposal& entry = report.proposals[lane.entry];
    entry.samples = lane.gains.size();
    entry.gain = mean(lane.gains);
    // A step may be too small to show on its batch; the race of its chain decides.
    if (entry.gain >= 0 && &lane != &lanes.front()) entry.reason = "another one gained as much or more";
    if (entry.gain >= 0) continue;
    entry.reason = "worse on the samples it was made from";
    insert(state_.tried, gist_of(values_of(lane.proposal)));
    for (std::size_t i = 0; i < optimizers_.size(); ++i) optimizers_[i]->reject(lane.proposal[i], entry.reason);
  }
  const SearchReport::Proposal& best = report.proposals[lanes.front().entry];
  last_updates_ = updates_of(lanes.front().proposal);
  if (!best.reason.empty()) return mark_rejected(last_updates_, best.reason);
  for (std::size_t i = 0; i < optimizers_.size(); ++i) optimizers_[i]->commit(std::move(lanes.front().proposal[i]));
  ++state_.taken;
}

SearchReport ChainSearch::step(const BatchStep& batch, const Scores& before) {
  if (before.samples.size() != before.means.samples)
    throw ValueError("the search compares sample by sample, but the evaluator gives a batch one score: use Reduction::none");
  SearchReport report;
  std::vector<Lane> lanes = propose(report);
  report.step = ++state_.steps;
  if (lanes.empty()) return report;
  screen(lanes, batch, before);
  decide(lanes, report);
  return report;
}

// ---- The race --------------------------------------------------------------------------------------------------------

std::optional<bool> ChainSearch::by_limits(const Scores& before, const Scores& after) const {
  const bool keeps = broken_limit(keep_, after.means).empty();
  return keeps == broken_limit(keep_, before.means).empty() ? std::nullopt : std::optional(keeps);
}

std::size_t ChainSearch::samples_of_race() const {
  const Values incumbent(parameters_, state_.incumbent);
  return validation_.samples() + validation_.missing();
}

ChainRace ChainSearch::race() {
  const std::size_t all = validation_.samples();
  const std::size_t look = std::max<std::size_t>((all + 7) / 8, 1);
  const double enough = 1 / (1 - options_.confidence);
  ChainRace race{.steps = state_.taken};
  EProcess better;
  EProcess worse;
  Scores of_incumbent;
  Scores of_head;
  for (std::size_t reached = look, seen = 0; seen < all; reached += look) {
    {
      const Values values(parameters_, state_.incumbent);
      of_incumbent = validation_.measure_first(std::min(reached, all));
    }
    of_head = validation_.measure_first(std::min(reached, all));
    if (of_head.samples.size() != of_incumbent.samples.size() || of_head.samples.size() != of_head.means.samples)
      throw ValueError(
          "the search compares sample by sample, but a batch of the validation data has one score, or was skipped");
    const std::vector<double> gains = detail::gains(of_incumbent.samples, of_head.samples, higher_is_better_);
    for (; seen < gains.size(); ++seen) {
      better.add(gains[seen]);
      worse.add(-gains[seen]);
    }
    const std::optional<bool> limited = by_limits(of_incumbent, of_head);  // until the end: a mean may come back within them
    race.accepted = limited.value_or(sum(gains) > 0);
    const bool is_clear = !limited && (race.accepted ? better : worse).value() >= enough;
    if (is_clear || gains.size() < std::min(reached, all)) break;
  }
  race.samples = of_head.samples.size();
  race.wins = better.wins();
  race.losses = better.losses();
  race.incumbent = of_incumbent.means.score;
  race.head = of_head.means.score;
  race.evidence = better.value();
  if (race.accepted) {
    for (optim::TGD* optimizer : optimizers_) {
      if (understands_scores(*optimizer, higher_is_better_)) optimizer->report_score(race.head);
    }
    adopt();
  } else {
    take_back(fmt::format("no better on the validation part: {:.3g} before, {:.3g} after", race.incumbent, race.head),
              race.head);
  }
  return race;
}

ChainRace ChainSearch::give_up() {
  const ChainRace race{.steps = state_.taken};
  take_back({}, std::nullopt);
  return race;
}

void ChainSearch::begin_without_batch() {
  last_updates_.clear();
  for (const Variable& parameter : parameters_) {
    const std::string& value = parameter.data().text();
    last_updates_.push_back(
        {.parameter = parameter, .outcome = ParameterUpdate::Outcome::no_feedback, .old_value = value, .new_value = value});
  }
}

void ChainSearch::note_return(const std::string& reason) {
  for (ParameterUpdate& update : last_updates_) {
    const std::string& value = update.parameter.data().text();
    if (value == update.old_value && update.outcome != ParameterUpdate::Outcome::updated) continue;
    update.reason = reason;
    update.outcome = ParameterUpdate::Outcome::rejected;
    if (value == update.old_value) continue;  // the value that was proposed is told
    update.outcome = ParameterUpdate::Outcome::updated;
    update.new_value = value;
    update.edit_distance = optim::detail::WordDistance(update.old_value).to(value);
  }
}

/// Every parameter, buffer and counter is as it was when the chain began; the optimizers remember its head.
void ChainSearch::take_back(const std::string& reason, std::optional<double> score) {
  const std::vector<std::string> head = values();
  if (!reason.empty()) insert(state_.tried, gist_of(head));
  std::size_t place = 0;
  for (optim::TGD* optimizer : optimizers_) {
    const std::vector<Variable> own = optimizer->parameters();
    const auto is_back = [&] {
      for (std::size_t i = 0; i < own.size(); ++i) {
        if (own[i].data().text() != state_.incumbent[place + i]) return false;
      }
      return true;
    };
    try {
      while (!is_back()) optimizer->undo();
    } catch (const StateError&) {  // its history does not reach back so far
      for (std::size_t i = 0; i < own.size(); ++i) Variable(own[i]).set_data(state_.incumbent[place + i]);
    }
    std::vector<optim::Suggestion> lost;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (head[place + i] != state_.incumbent[place + i]) lost.push_back({own[i], head[place + i]});
    }
    const bool is_told = understands_scores(*optimizer, higher_is_better_);
    if (!reason.empty() && !lost.empty()) optimizer->reject(optimizer->suggest(lost), reason, is_told ? score : std::nullopt);
    place += own.size();
  }
  note_return(reason.empty() ? "taken back: no calls were left to try the chain on the validation part"
                             : "taken back: its chain was " + reason);
  state_.steps = state_.taken = 0;
}

// ---- The confirmation ------------------------------------------------------------------------------------------------

Confirmation ChainSearch::confirm() {
  Confirmation result{.kept = options_.keep_unconfirmed};
  const std::string last = validation_.version();
  const Scores of_last = validation_.measure_apart();
  std::string first;
  Scores of_first;
  {
    const Values values(parameters_, state_.first);
    first = validation_.version();
    of_first = validation_.measure_apart();
  }
  const std::vector<double> gains = validation_.gains_apart(first, last, higher_is_better_);
  result.samples = gains.size();
  result.first = of_first.means.score;
  result.last = of_last.means.score;
  result.p_value = probability_of_chance(gains);
  result.confirmed = by_limits(of_first, of_last).value_or(result.p_value <= 1 - options_.confidence);
  result.kept = result.confirmed || options_.keep_unconfirmed;
  if (!result.kept) return_to_first();
  return result;
}

void ChainSearch::return_to_first() {
  set_values(state_.first);
  note_return("taken back: not shown to be better than the first values");
}

Confirmation ChainSearch::leave_unconfirmed() {
  if (!options_.keep_unconfirmed) return_to_first();
  return {.kept = options_.keep_unconfirmed};
}

}  // namespace tgd::detail
