// What an optimizer keeps, and its form as JSON. Private to the library.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/optim/tgd.hpp>

namespace tgd::optim::detail {

/// A proposal that was rejected, as the language model is shown it.
struct RejectedProposal {
  std::string value;
  std::string reason;
  std::optional<double> score;
};

/// An entry of the history with what undoing it takes.
struct UndoableEntry {
  HistoryEntry entry;
  bool has_pair = false;        // it put a pair into the momentum buffer
  MomentumBuffer dropped = {};  // the pairs that left the buffer for it
};

struct ParameterState {
  Variable parameter;
  std::string first_value = parameter.data().text();
  MomentumBuffer momentum = {};
  std::vector<RejectedProposal> rejected = {};  // oldest first
  std::vector<UndoableEntry> history = {};      // oldest first
  std::optional<double> score = {};             // of `scored_value`
  std::string scored_value = {};
  std::string kept = {};  // what the value ends with and the language model is not shown; see Suggestion

  /// The value, or an earlier or a proposed one, without that.
  std::string_view without_kept(std::string_view value) const;
  /// A value of the language model's with what it was not shown.
  std::string with_kept(std::string value) const;
  /// The score of the present value, where one was reported.
  std::optional<double> present_score() const;
};

struct GroupState {
  TGDOptions options;
  std::vector<ParameterState> parameters;
};

struct OptimizerState {
  std::vector<GroupState> groups;
  std::size_t steps = 0;
};

Json save_state(const OptimizerState& state);
/// Its "param_groups".
Json save_param_groups(const OptimizerState& state);
/// The same as text, byte for byte what append_json makes of it.
void append_state(std::string& text, const OptimizerState& state);
/// All or nothing; see TGD::load_state_dict.
void load_state(OptimizerState& state, const Json& saved, const std::map<std::string, lm::ChatModelPtr>& models);

}  // namespace tgd::optim::detail
