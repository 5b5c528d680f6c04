// The messages that ask a language model for a new value. Private to the library.
#pragma once

#include <span>
#include <vector>

#include <tgd/optim.hpp>

namespace tgd::optim::detail {

/// Throws ValueError when messages or inputs of the options cannot work: a message without {value} and {feedback}, an input that
/// no message uses or that is a batch.
void check_meta_prompt(const TGDOptions& options);

/// A gradient as one text: the items of a list that are not empty, joined.
std::string feedback_text(const Variable& gradient);

/// The rules for one parameter: those of the options, and that it keeps the placeholders it is used with as a template.
std::vector<Constraint> constraints_of(const Variable& parameter, const TGDOptions& options);

struct MetaPrompt {
  Variable parameter;
  std::span<const Variable> gradients;
  std::span<const Constraint> constraints;
  const MomentumBuffer* momentum;
  const TGDOptions* options;
};

/// Within options->context_budget; see there what is left out first. Throws ValueError when that is not enough.
std::vector<lm::Message> meta_prompt(const MetaPrompt& about);

/// What follows an unusable reply: that reply, and why it cannot be used.
std::vector<lm::Message> reask(const std::string& reply, const std::string& reason, const TGDOptions& options);

}  // namespace tgd::optim::detail
