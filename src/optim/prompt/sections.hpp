// The sections of a request for new values, each "" where it has nothing to say. Private to the library.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tgd/optim/tgd.hpp>

#include "optim/prompt/parts.hpp"
#include "optim/state.hpp"

namespace tgd::optim::detail {

/// A gradient as one text: the items of a list that are not empty, joined.
std::string feedback_text(const Variable& gradient);

/// Whether all of them are what evaluators said, with the samples and their right answers.
bool is_direct(std::span<const Variable> gradients);

/// Whether the feedback asks for that: see TGD::aims(). `options`: of its receiver.
bool asks_for(Aim aim, std::span<const Variable> gradients, const TGDOptions& options);

/// One parameter that is to be rewritten.
struct Subject {
  const ParameterState* state;
  std::span<const Variable> gradients;
  std::span<const std::string> constraints;
  Aim aim = Aim::any;
};

/// How much is shown of what may be left out.
struct Extent {
  std::size_t siblings = 0;
  std::size_t conversations = 0;                                        // of all subjects together
  std::size_t versions = 0;                                             // of each subject, the latest ones
  std::size_t rejected = 0;                                             // likewise
  std::size_t feedback_size = std::numeric_limits<std::size_t>::max();  // of each text, in bytes
};

/// What may be shown of a parameter's past, the latest of it: options may have been lowered since it was remembered.
std::span<const MomentumPair> versions_of(const ParameterState& state, const TGDOptions& options);
std::span<const RejectedProposal> rejected_of(const ParameterState& state, const TGDOptions& options);

/// Writes sections from the prompts, and remembers which it has used. Tags of the prompts that other people's texts hold are
/// written in square brackets, so that nothing in them can be taken for a part of the request.
class Sections {
 public:
  Sections(const TGDOptions& options, PromptParts& parts, const Extent& extent);

  /// What code has counted, where that is wanted, then what was said; or else the samples themselves.
  std::string feedback(const Subject& subject);
  std::string constraints(const Subject& subject);
  std::string instructions(const Subject& subject);
  std::string momentum(const Subject& subject);
  std::string rejected(const Subject& subject);
  /// `subjects` share a request; a score that all of them have is shown.
  std::string objective(std::span<const Subject> subjects);
  std::string siblings(std::span<const Variable> siblings, std::size_t more);
  std::string examples();
  std::string boldness();

  /// The prompt, filled, and counted as used.
  std::string render(std::string_view name, std::initializer_list<TemplateInput> inputs);
  const PromptNames& used_prompts() const noexcept { return used_; }

 private:
  std::string aim(const Subject& subject);
  std::string diagnosis(const Subject& subject, std::span<const SampleOutcome> outcomes);
  std::string said(const Subject& subject);
  std::string samples(const Subject& subject, std::span<const SampleOutcome> outcomes);
  std::string sample(std::string_view prompt, const SampleOutcome& outcome, std::string_view value);
  std::string contexts(const Variable& gradient, std::string_view value);
  std::string feedback_of(const Variable& gradient, std::string_view value) const;
  std::string score_line(const std::optional<double>& score);
  const std::string& sibling_item(const Variable& sibling);
  void use(std::string_view name);
  std::string left_out(std::size_t count, std::string_view what);

  const TGDOptions& options_;
  PromptParts& parts_;
  Extent extent_;  // conversations: those that may still be shown
  PromptNames used_;
};

}  // namespace tgd::optim::detail
