// Race: the first proposals against the present values, on the validation part. See RaceReport in tgd/trainer.hpp.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <vector>

#include <tgd/optim/tgd.hpp>
#include <tgd/trainer.hpp>

#include "train/proposal.hpp"
#include "train/tally.hpp"

namespace tgd::detail {

/// The share of the validation part that a race of so many asks the model about.
TGD_API double race_share(std::size_t proposals);

class Race {
 public:
  /// `start`: the scores of the present values on the whole validation part. Throws ValueError for optimizers that are no TGD, and for
  /// evaluators that give a batch one score.
  Race(const std::vector<FirstProposal>& proposals, const Trainee& trainee, const Pass& validation, const Scores& start,
       bool higher_is_better);

  /// Whether there is anybody to race.
  bool any() const { return !lanes_.empty(); }
  /// Returns false when `is_stopped` says so between two rounds: nothing has changed then.
  bool run(const std::function<bool()>& is_stopped);
  /// The gains of the best over the present values, sample by sample, after run().
  std::vector<double> gains() const;
  bool is_better() const;
  /// What ended the last round early: the budget. Null where all samples were tried.
  const std::exception_ptr& cut_by() const noexcept { return cut_by_; }
  /// Takes the best.
  void accept();

  const RaceReport& report() const noexcept { return report_; }
  /// Of the best, on all samples that it was tried on.
  const Scores& scores() const { return scores_; }
  std::vector<optim::ParameterUpdate> updates() const;

 private:
  struct Lane {
    std::size_t entry;  // in the report
    Proposal proposal;
    Tally tally = {};
    std::size_t batches = 0;
    std::size_t samples = 0;
  };
  const Lane& best() const;
  void enter(const FirstProposal& proposal);
  void advance(const std::vector<Lane*>& lanes, std::size_t samples);
  void advance(Lane& lane, std::size_t samples) const;
  double mean_gain(const Lane& lane) const;

  const Trainee& trainee_;
  const Pass& validation_;
  const Scores& start_;
  bool higher_is_better_;
  std::vector<optim::TGD*> optimizers_;
  std::vector<Lane> lanes_;
  RaceReport report_;
  Scores scores_;
  std::exception_ptr cut_by_;
};

}  // namespace tgd::detail
