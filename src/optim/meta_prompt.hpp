// The messages that ask a language model for a new value. Private to the library.
#pragma once

#include <span>
#include <vector>

#include <tgd/optim.hpp>

namespace tgd::optim::detail {

/// Throws ValueError when messages or inputs of the options cannot work: a message without {value} and {feedback}, an input that
/// no message uses or that is a batch.
void check_meta_prompt(const TGDOptions& options);

/// The rules for one parameter: those of the options, and that it keeps the placeholders it is used with as a template.
std::vector<Constraint> constraints_of(const Variable& parameter, const TGDOptions& options);

std::vector<lm::Message> meta_prompt(const Variable& parameter, std::span<const Variable> gradients,
                                     std::span<const Constraint> constraints, const MomentumBuffer& momentum,
                                     const TGDOptions& options);

/// What follows an unusable reply: that reply, and why it cannot be used.
std::vector<lm::Message> reask(const std::string& reply, const std::string& reason, const TGDOptions& options);

}  // namespace tgd::optim::detail
