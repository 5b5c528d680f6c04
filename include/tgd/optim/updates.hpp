// What TGD says: what became of parameters, and what was remembered of them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/variable.hpp>

namespace tgd::optim {

/// A value before an update, with the gradients that led to the update and, where one was reported, its score.
struct MomentumPair {
  Variable value;
  std::vector<Variable> gradients;
  std::optional<double> score = {};
};
using MomentumBuffer = std::vector<MomentumPair>;  // oldest first

/// Why a reply could not be used.
struct UnusableReply {
  enum class Problem {
    cut_off,   ///< lm::ReplyEnd::cut
    filtered,  ///< lm::ReplyEnd::filtered
    no_value,  ///< neither answer tag, or only a form's blank, a refusal or a thought between them
    no_opening_tag,
    no_closing_tag,
    several_values,
    empty_value,
    unreadable,  ///< no UTF-8, or controls and hidden characters that the old value does not hold
    leaked_tag,  ///< the value holds a tag of the meta-prompt
    echo,        ///< the value repeats the meta-prompt
    elided,      ///< a line of the value stands for what was left out
    violated_constraint,
    lost_placeholder,
    too_long,  ///< max_length_ratio, or beyond all measure
    changed_frozen,
    copied,    ///< words of a conversation
    unchanged  ///< no value differs from the old one
  };
  Problem problem;
  std::string reason;  ///< as the language model was told
};
/// The enumerator's name.
TGD_API std::string_view to_string(UnusableReply::Problem problem);

/// What a step did, or would do, to one parameter.
struct ParameterUpdate {
  enum class Outcome {
    updated,
    unchanged,    ///< the language model gave back the same value, and again when it was asked to change it
    kept,         ///< no usable reply; the old value stays, `reason` says why
    no_feedback,  ///< no gradient or only empty ones: no call was made
    rejected      ///< it was updated, and reject() took that back
  };
  Variable parameter;
  Outcome outcome;
  std::string old_value = {};
  std::string new_value = {};  ///< the old value unless the outcome is `updated` or `rejected`
  std::size_t requests = 0;    ///< with `joint` those of the group
  std::string reason = {};
  std::vector<UnusableReply> problems = {};  ///< one for each reply that was asked for again or ended in `kept`
  std::vector<Variable> gradients = {};      ///< the feedback that was shown
  std::size_t edit_distance = 0;             ///< words inserted, deleted or replaced
  std::string kept = {};                     ///< of a suggestion: see Suggestion
};
TGD_API std::string_view to_string(ParameterUpdate::Outcome outcome);

/// A new value that did not come from the language model.
struct Suggestion {
  Variable parameter;
  std::string value;
  /// What the value ends with and later steps keep: the language model is not shown it, and rewrites what stands before it. Such as
  /// solved samples, which it would only copy. Empty: nothing.
  std::string kept = {};
};

/// What a proposal is to be about, so that several of one step differ. It is said to the language model, not enforced.
enum class Aim {
  any,        ///< what the feedback speaks about
  form,       ///< what a reply looks like
  confusion,  ///< the two answers that are most often taken for one another
  rule,       ///< one rule more, or one that is corrected
  shorter     ///< the same in fewer words
};
TGD_API std::string_view to_string(Aim aim);

/// New values that are not taken yet: one for each parameter, in the order of parameters(). See TGD::propose.
struct Candidate {
  std::vector<ParameterUpdate> updates;
};

/// A value that a parameter had, or that was proposed for it.
struct HistoryEntry {
  enum class Status {
    set,  ///< the first value, or one that the program has set
    accepted,
    rejected,
    undone
  };
  std::string value;
  Status status;
  std::size_t step = 0;                    ///< counts from 1; 0 for `set`
  std::vector<std::string> feedback = {};  ///< what was said of the value before, which this one answers
  std::optional<double> score = {};
  std::string reason = {};  ///< of a rejection
};
TGD_API std::string_view to_string(HistoryEntry::Status status);

}  // namespace tgd::optim
