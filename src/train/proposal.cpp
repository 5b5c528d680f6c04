#include "train/proposal.hpp"

#include <algorithm>

namespace tgd::detail {

using optim::ParameterUpdate;

std::vector<Variable> parameters_of(const Trainee& trainee) {
  std::vector<Variable> all;
  for (const auto& optimizer : trainee.optimizers) {
    const std::vector<Variable> some = optimizer->parameters();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<optim::TGD*> tgd_optimizers(const Trainee& trainee, const char* message) {
  std::vector<optim::TGD*> optimizers;
  for (const auto& optimizer : trainee.optimizers) {
    optimizers.push_back(dynamic_cast<optim::TGD*>(optimizer.get()));
    if (optimizers.back() == nullptr) throw ValueError(message);
  }
  return optimizers;
}

std::vector<ParameterUpdate> updates_of(const Proposal& proposal) {
  std::vector<ParameterUpdate> updates;
  for (const optim::Candidate& candidate : proposal)
    updates.insert(updates.end(), candidate.updates.begin(), candidate.updates.end());
  return updates;
}

std::vector<std::string> values_of(const Proposal& proposal) {
  std::vector<std::string> values;
  for (const optim::Candidate& candidate : proposal) {
    for (const ParameterUpdate& update : candidate.updates) values.push_back(update.new_value);
  }
  return values;
}

bool changes_something(const Proposal& proposal) {
  return std::any_of(proposal.begin(), proposal.end(), [](const optim::Candidate& candidate) {
    return std::any_of(candidate.updates.begin(), candidate.updates.end(),
                       [](const ParameterUpdate& update) { return update.outcome == ParameterUpdate::Outcome::updated; });
  });
}

void mark_rejected(std::vector<ParameterUpdate>& updates, const std::string& reason) {
  for (ParameterUpdate& update : updates) {
    if (update.outcome != ParameterUpdate::Outcome::updated) continue;
    update.outcome = ParameterUpdate::Outcome::rejected;
    update.reason = reason;
  }
}

Trials try_out(const Proposal& proposal, const std::vector<optim::TGD*>& optimizers) {
  Trials trials;
  for (std::size_t i = 0; i < optimizers.size(); ++i)
    trials.emplace_back(new optim::TGD::Trial(optimizers[i]->try_out(proposal[i])));
  return trials;
}

std::vector<double> gains(const std::vector<double>& before, const std::vector<double>& after, bool higher_is_better) {
  std::vector<double> gains;
  for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
    gains.push_back(higher_is_better ? after[i] - before[i] : before[i] - after[i]);
  }
  return gains;
}

}  // namespace tgd::detail
