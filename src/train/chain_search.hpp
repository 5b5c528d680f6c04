// ChainSearch: steps in short chains, whose heads race against what they began with. See Search in tgd/train/search.hpp.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tgd/optim/tgd.hpp>
#include <tgd/trainer.hpp>

#include "train/proposal.hpp"
#include "train/score_table.hpp"
#include "train/tally.hpp"

namespace tgd::detail {

/// Where a search stands between two steps.
struct SearchState {
  std::size_t steps = 0;                    // of the chain under way, those that took nothing among them
  std::size_t taken = 0;                    // of them
  std::vector<std::string> first = {};      // the values that the run began with; empty: it has not begun
  std::vector<std::string> incumbent = {};  // those that the chain began with
  std::vector<std::string> tried = {};      // what is not to be tried again said, shortened: incumbents, and what has lost
};

class ChainSearch {
 public:
  /// Throws ValueError for a search that cannot work: options out of range, optimizers that are no TGD, no validation data.
  ChainSearch(const Search& options, const std::map<std::string, Limits>& keep, bool higher_is_better, const Trainee& trainee,
              Validation* validation, SearchState& state);

  /// The present values are the first ones, unless the run has some; then, or by `adopt`, they are the incumbent.
  void begin();
  void adopt();

  /// One step of a chain: proposes, screens, takes the best or none. `before`: the scores of the batch with the present values.
  SearchReport step(const BatchStep& batch, const Scores& before);
  bool is_chain_over() const { return state_.taken >= options_.chain; }
  bool has_head() const { return values() != state_.incumbent; }
  /// The head of the chain against the incumbent. The chain ends; if its head loses, the values are the incumbent's.
  ChainRace race();
  /// The same where there are no calls for a race.
  ChainRace give_up();
  /// Of the head, on what it was raced on. After a race that it has won.
  Scores scores() const { return validation_.known(); }

  bool has_to_confirm() const { return options_.confirm > 0 && state_.incumbent != state_.first; }
  /// The incumbent, which has the parameters, against the first values. Where it is not kept, these have them.
  Confirmation confirm();
  /// The same where there are no calls for it.
  Confirmation leave_unconfirmed();

  /// How many samples a race from here would measure, and a confirmation.
  std::size_t samples_of_race() const;
  std::size_t samples_of_confirmation() const { return 2 * validation_.samples_apart(); }

  /// To be called before a race or a confirmation that is no part of a step.
  void begin_without_batch();
  /// What became of the parameters since the last step began: what its best proposal made of them, `rejected` where it was not
  /// taken, and where a race has taken a chain back, or a confirmation all of them, what they have now.
  const std::vector<optim::ParameterUpdate>& last_updates() const noexcept { return last_updates_; }

 private:
  struct Lane {
    Proposal proposal;
    std::size_t entry;  // in the report
    std::vector<double> gains = {};
  };
  std::vector<std::string> values() const;
  void set_values(const std::vector<std::string>& values) const;
  std::vector<std::vector<optim::Aim>> aims() const;
  std::vector<Lane> propose(SearchReport& report);
  void screen(std::vector<Lane>& lanes, const BatchStep& batch, const Scores& before) const;
  void try_on(Lane& lane, const BatchStep& batch, std::span<const std::size_t> samples, const Scores& before) const;
  std::vector<std::size_t> failing(const Scores& scores) const;
  void decide(std::vector<Lane>& lanes, SearchReport& report);
  /// Whether limits on metrics decide between two measurements: then which keeps them.
  std::optional<bool> by_limits(const Scores& before, const Scores& after) const;
  void take_back(const std::string& reason, std::optional<double> score);
  void return_to_first();
  void note_return(const std::string& reason);

  const Search& options_;
  const std::map<std::string, Limits>& keep_;
  bool higher_is_better_;
  const Trainee& trainee_;
  Validation& validation_;
  SearchState& state_;
  std::vector<optim::TGD*> optimizers_;
  std::vector<Variable> parameters_;
  std::vector<optim::ParameterUpdate> last_updates_;
};

}  // namespace tgd::detail
