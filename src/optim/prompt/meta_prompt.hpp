// The messages that ask a language model for new values. Private to the library.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <tgd/optim/tgd.hpp>

#include "optim/prompt/parts.hpp"
#include "optim/prompt/sections.hpp"
#include "optim/reply/echo_guard.hpp"

namespace tgd::optim::detail {

/// Throws ValueError when messages, inputs or the answer tag of the options cannot work: a message without {value} and {feedback}
/// (or {parameters}), an input that no message uses or that is a batch, a tag that is no name or has another meaning.
void check_meta_prompt(const TGDOptions& options);

struct MetaPrompt {
  std::span<const Subject> subjects;   // one, or all of a joint request
  std::span<const Variable> siblings;  // the nearest first
  const TGDOptions& options;
  PromptParts& parts;             // of the same options
  std::size_t more_siblings = 0;  // beside those
};

struct SentPrompt {
  std::vector<lm::Message> messages;
  std::vector<std::string> tags;  // the names of the answer tags, one for each subject
  EchoGuard instructions;
};

/// Within options.context_budget; see there what is left out first. Throws ValueError when that is not enough.
SentPrompt meta_prompt(const MetaPrompt& about);

/// What is wrong with the reply's value for one subject.
struct Complaint {
  std::size_t subject;
  std::string reason;
};
/// What follows an unusable reply: that reply, and why it cannot be used. One complaint unless the request was a joint one.
std::vector<lm::Message> reask(const std::string& reply, std::span<const Complaint> complaints, const SentPrompt& sent,
                               const TGDOptions& options);

}  // namespace tgd::optim::detail
