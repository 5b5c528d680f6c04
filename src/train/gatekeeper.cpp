#include "train/gatekeeper.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/mean.hpp"
#include "train/paired_test.hpp"

namespace tgd::detail {

namespace {

using optim::ParameterUpdate;

const std::vector<double>& samples_of(const Scores& scores) {
  if (scores.samples.size() == scores.means.samples) return scores.samples;
  throw ValueError("the gate compares sample by sample, but the evaluator gives a batch one score: use Reduction::none");
}

/// How likely chance alone would give as large a loss.
double chance_of_loss(std::vector<double> gains) {
  for (double& gain : gains) gain = -gain;
  return probability_of_chance(gains);
}

}  // namespace

bool understands_scores(const optim::Optimizer& optimizer, bool higher_is_better) {
  const auto* tgd = dynamic_cast<const optim::TGD*>(&optimizer);
  if (tgd == nullptr) return higher_is_better;
  const std::vector<Variable> parameters = tgd->parameters();
  return std::all_of(parameters.begin(), parameters.end(), [&](const Variable& parameter) {
    return (tgd->options(parameter).direction == optim::Direction::minimize) != higher_is_better;
  });
}

Gatekeeper::Gatekeeper(const Gate& gate, const std::map<std::string, Limits>& keep, bool higher_is_better,
                       const Trainee& trainee, Validation* validation)
    : gate_(gate),
      confidence_(gate.confidence.value_or(0)),
      keep_(keep),
      higher_is_better_(higher_is_better),
      trainee_(trainee),
      validation_(validation) {
  if (!(confidence_ > 0 && confidence_ < 1)) {
    throw ValueError(fmt::format("Gate::confidence is {}; it has to be between 0 and 1, such as 0.8", confidence_));
  }
  if (gate.proposals == 0) throw ValueError("Gate::proposals is 0; it has to be at least 1");
  if (!trainee.automatic)
    throw ValueError("the gate takes the steps itself; it does not go with automatic_optimization = false");
  optimizers_ = tgd_optimizers(trainee, "the gate needs optimizers that can propose: optim::TGD");
}

GateReport Gatekeeper::step(const BatchStep& batch, const Scores& before) {
  GateReport report{.batch_before = before.means.score, .batch_after = before.means.score};
  const std::vector<Proposal> proposals = propose();
  report.proposals = proposals.size();
  if (proposals.empty()) {
    report.reason = "nothing was proposed";
    return report;
  }
  const std::vector<Scores> tried = try_on(batch, proposals);
  std::vector<double> gained;
  for (const Scores& scores : tried) gained.push_back(mean(gains(samples_of(before), samples_of(scores))));
  const auto best = static_cast<std::size_t>(std::max_element(gained.begin(), gained.end()) - gained.begin());
  report.batch_after = tried[best].means.score;
  for (std::size_t i = 0; i < proposals.size(); ++i) {
    if (passes_batch(before, tried[i])) continue;
    reject(proposals[i],
           fmt::format("{} on the samples it was made from: {:.3g} before, {:.3g} after", shortcoming(), before.means.score,
                       tried[i].means.score),
           tried[i].means.score);
  }
  if (passes_batch(before, tried[best])) {
    decide(proposals[best], before, tried[best], report);
  } else {
    report.reason = shortcoming() + " on its own batch";
  }
  last_updates_ = updates_of(proposals[best]);
  if (!report.accepted) mark_rejected(last_updates_, report.reason);
  return report;
}

bool Gatekeeper::accepts(const std::vector<double>& gains) const { return accepts(chance_of(gains)); }

/// Of a gain as large by chance alone, or of such a loss where only that is looked for.
double Gatekeeper::chance_of(const std::vector<double>& gains) const {
  return gate_.takes == GateRule::better ? probability_of_chance(gains) : chance_of_loss(gains);
}

bool Gatekeeper::accepts(double chance) const { return (chance <= 1 - confidence_) == (gate_.takes == GateRule::better); }

std::string Gatekeeper::shortcoming() const { return gate_.takes == GateRule::better ? "no better" : "clearly worse"; }

/// A batch is too small for more than a gain of any size.
bool Gatekeeper::passes_batch(const Scores& before, const Scores& after) const {
  const std::vector<double> differences = gains(samples_of(before), samples_of(after));
  return gate_.takes == GateRule::better ? mean(differences) > 0 : !is_clearly_worse(differences);
}

bool Gatekeeper::is_clearly_worse(std::vector<double> gains) const {
  return chance_of_loss(std::move(gains)) <= 1 - confidence_;
}

/// Commits or rejects the proposal that is best on the batch: by the validation part where there is one, else by the batch.
void Gatekeeper::decide(const Proposal& proposal, const Scores& batch_before, const Scores& batch_after,
                        GateReport& report) const {
  std::optional<Scores> after = batch_after;
  Scores before = batch_before;
  if (validation_ != nullptr) {
    before = validation_->measure();
    samples_of(before);
    after = try_on_validation(proposal);
    report.validation_before = before.means.score;
    if (after) report.validation_after = after->means.score;
  }
  const bool has_to_be_better = gate_.takes == GateRule::better;
  if (after) report.p_value = chance_of(gains(samples_of(before), samples_of(*after)));
  const std::string broken = after && broken_limit(keep_, before.means).empty() ? broken_limit(keep_, after->means) : "";
  report.accepted = after && broken.empty() && accepts(report.p_value);
  if (!report.accepted) {
    report.reason = !broken.empty() ? broken
                    : after         ? fmt::format("{} with the wanted confidence: {:.3g} before, {:.3g} after",
                                          has_to_be_better ? "not better" : "worse", before.means.score, after->means.score)
                            : fmt::format("clearly worse before all samples were tried; {:.3g} before", before.means.score);
    reject(proposal, report.reason, after ? after->means.score : report.batch_after);
    return;
  }
  for (std::size_t i = 0; i < optimizers_.size(); ++i) {
    optimizers_[i]->commit(proposal[i]);
    if (understands_scores(*optimizers_[i], higher_is_better_)) optimizers_[i]->report_score(after->means.score);
  }
}

/// Different proposals that change something. Where none does, last_updates() says why.
std::vector<Proposal> Gatekeeper::propose() {
  std::vector<std::vector<optim::Candidate>> of_optimizer;
  for (optim::TGD* optimizer : optimizers_) of_optimizer.push_back(optimizer->propose(gate_.proposals));
  std::vector<Proposal> proposals;
  std::set<std::vector<std::string>> known;
  for (std::size_t i = 0; i < gate_.proposals; ++i) {
    Proposal proposal;
    for (auto& candidates : of_optimizer) proposal.push_back(std::move(candidates[i]));
    if (i == 0) {
      last_updates_ = updates_of(proposal);
      mark_rejected(last_updates_, {});
    }
    if (changes_something(proposal) && known.insert(values_of(proposal)).second) proposals.push_back(std::move(proposal));
  }
  return proposals;
}

/// One proposal after the other: what the step asks for may read a value until its scores are there, and only then is another put in
/// its place.
std::vector<Scores> Gatekeeper::try_on(const BatchStep& batch, const std::vector<Proposal>& proposals) const {
  const NoGradGuard no_grad;
  trainee_.set_mode(false);
  std::vector<Scores> scores;
  for (const Proposal& proposal : proposals) {
    const Trials trials = try_out(proposal, optimizers_);
    const std::optional<StepResult> result = batch.run();
    if (!result) throw ValueError("the gate tries a batch again, and the step that gave it a score skipped it then");
    scores.push_back(settled(batch.samples, *result));
  }
  trainee_.set_mode(true);
  return scores;
}

/// In quarters: nothing where the proposal is clearly worse before the last one.
std::optional<Scores> Gatekeeper::try_on_validation(const Proposal& proposal) const {
  const std::string before = validation_->version();
  const std::size_t all = validation_->samples();
  const Trials trials = try_out(proposal, optimizers_);
  for (std::size_t quarter = 1; quarter < 4; ++quarter) {
    const Scores tried = validation_->measure_first((quarter * all + 3) / 4);
    if (tried.means.samples >= all) break;
    if (is_clearly_worse(validation_->gains(before, validation_->version(), higher_is_better_))) return std::nullopt;
  }
  return validation_->measure();
}

std::vector<double> Gatekeeper::gains(const std::vector<double>& before, const std::vector<double>& after) const {
  return detail::gains(before, after, higher_is_better_);
}

void Gatekeeper::reject(const Proposal& proposal, const std::string& reason, std::optional<double> score) const {
  for (std::size_t i = 0; i < optimizers_.size(); ++i) {
    if (!understands_scores(*optimizers_[i], higher_is_better_)) score.reset();
    optimizers_[i]->reject(proposal[i], reason, score);
  }
}

}  // namespace tgd::detail
