// Race: the first proposals against the present values, on the validation part. See RaceReport in tgd/trainer.hpp.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tgd/optim/tgd.hpp>
#include <tgd/trainer.hpp>

#include "train/proposal.hpp"
#include "train/score_table.hpp"
#include "train/tally.hpp"

namespace tgd::detail {

/// The share of the validation part that a race of so many asks the model about.
double race_share(std::size_t proposals);

class Race {
 public:
  /// The present values have been measured. Throws ValueError for optimizers that are no TGD, and for evaluators that give a
  /// batch one score.
  Race(const std::vector<FirstProposal>& proposals, const Trainee& trainee, Validation& validation, bool higher_is_better);

  /// Whether there is anybody to race.
  bool any() const { return !lanes_.empty(); }
  std::size_t lanes() const { return lanes_.size(); }
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
  const Scores& scores() const { return best().scores; }
  std::vector<optim::ParameterUpdate> updates() const;

 private:
  struct Lane {
    std::size_t entry;  // in the report
    Proposal proposal;
    std::string version = {};
    Scores scores = {};
  };
  const Lane& best() const;
  void enter(const FirstProposal& proposal);
  void advance(const std::vector<Lane*>& lanes, std::size_t samples);
  std::vector<double> gains_of(const Lane& lane) const;

  Validation& validation_;
  const std::string start_;  // a version
  bool higher_is_better_;
  std::vector<optim::TGD*> optimizers_;
  std::vector<Lane> lanes_;
  RaceReport report_;
  std::exception_ptr cut_by_;
};

}  // namespace tgd::detail
