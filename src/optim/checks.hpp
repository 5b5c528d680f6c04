// What decides whether a value may be taken. Private to the library.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tgd/optim/tgd.hpp>

#include "optim/reply/word_runs.hpp"
#include "optim/state.hpp"

namespace tgd::optim::detail {

/// What `rules` of the options say about a parameter; nothing when they do not name it.
const ParameterRules* rules_for(const Variable& parameter, const TGDOptions& options);

/// The parts of a value that have to stay: those between marks and those that the rules name, in the order of the value.
/// Throws ValueError for marks without their partner and for parts that the value does not have in this order.
std::vector<std::string> frozen_parts(const Variable& parameter, const TGDOptions& options);

/// The rules for one parameter's new value: the options' constraints and those that follow from its use, its first value and its
/// frozen parts. Each is shown to the language model, and checked where it can be.
class Checks {
 public:
  /// Throws as frozen_parts does.
  Checks(const ParameterState& state, const TGDOptions& options);

  /// The rules as sentences for the language model.
  const std::vector<std::string>& texts() const noexcept { return texts_; }
  std::optional<UnusableReply> problem(const std::string& value) const;

 private:
  struct Rule {
    UnusableReply::Problem problem;
    Constraint constraint;
  };
  void add(UnusableReply::Problem problem, Constraint constraint);
  void add_placeholders(const Variable& parameter);
  void add_length(const ParameterState& state);
  void add_frozen(const Variable& parameter);
  void add_required(const Variable& parameter);

  const TGDOptions& options_;
  std::vector<Rule> rules_;
  std::vector<std::string> texts_;
};

/// The words of the conversations behind some gradients, to find those that a value copies.
WordRuns conversation_words(std::span<const Variable> gradients, std::size_t run);

}  // namespace tgd::optim::detail
