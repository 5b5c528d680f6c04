// Gatekeeper: takes a step of the optimizers only if what they propose scores better. See Gate in tgd/trainer.hpp.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/optim/tgd.hpp>
#include <tgd/trainer.hpp>

#include "train/proposal.hpp"
#include "train/score_table.hpp"
#include "train/tally.hpp"

namespace tgd::detail {

/// Whether the optimizer takes a score the right way round. One that has no direction shows its model scores to maximize.
bool understands_scores(const optim::Optimizer& optimizer, bool higher_is_better);

inline constexpr std::array gate_rule_names = {std::pair{GateRule::better, "better"},
                                               std::pair{GateRule::not_worse, "not_worse"}};

class Gatekeeper {
 public:
  /// Throws ValueError for a gate that cannot work: options out of range, optimizers that are no TGD.
  Gatekeeper(const Gate& gate, const std::map<std::string, Limits>& keep, bool higher_is_better, const Trainee& trainee,
             Validation* validation);

  /// Proposes, tries, and commits or rejects. `before`: the scores of the batch with the present values.
  GateReport step(const BatchStep& batch, const Scores& before);
  /// Whether what gains so much, sample by sample, may be taken.
  bool accepts(const std::vector<double>& gains) const;
  /// What the last step's best proposal made of the parameters; `rejected` where it was not taken.
  const std::vector<optim::ParameterUpdate>& last_updates() const noexcept { return last_updates_; }

 private:
  std::vector<Proposal> propose();
  void decide(const Proposal& proposal, const Scores& batch_before, const Scores& batch_after, GateReport& report) const;
  std::vector<Scores> try_on(const BatchStep& batch, const std::vector<Proposal>& proposals) const;
  std::optional<Scores> try_on_validation(const Proposal& proposal) const;
  std::string shortcoming() const;
  double chance_of(const std::vector<double>& gains) const;
  bool accepts(double chance) const;
  bool passes_batch(const Scores& before, const Scores& after) const;
  bool is_clearly_worse(std::vector<double> gains) const;
  std::vector<double> gains(const std::vector<double>& before, const std::vector<double>& after) const;
  void reject(const Proposal& proposal, const std::string& reason, std::optional<double> score) const;

  const Gate& gate_;
  double confidence_;
  const std::map<std::string, Limits>& keep_;
  bool higher_is_better_;
  const Trainee& trainee_;
  Validation* validation_;
  std::vector<optim::TGD*> optimizers_;
  std::vector<optim::ParameterUpdate> last_updates_;
};

}  // namespace tgd::detail
