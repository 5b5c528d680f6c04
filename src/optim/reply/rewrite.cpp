#include "optim/reply/rewrite.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "core/text.hpp"
#include "optim/reply/extract.hpp"

namespace tgd::optim {

std::string_view to_string(ParameterUpdate::Outcome outcome) {
  using Outcome = ParameterUpdate::Outcome;
  switch (outcome) {
    case Outcome::updated:
      return "updated";
    case Outcome::unchanged:
      return "unchanged";
    case Outcome::kept:
      return "kept";
    case Outcome::no_feedback:
      return "no_feedback";
    case Outcome::rejected:
      return "rejected";
  }
  return "";
}

namespace detail {

using Problem = UnusableReply::Problem;
using Outcome = ParameterUpdate::Outcome;

std::vector<Variable> feedback_of(const StepItem& item) {
  std::vector<Variable> gradients;
  std::copy_if(item.gradients.begin(), item.gradients.end(), std::back_inserter(gradients),
               [](const Variable& gradient) { return !feedback_text(gradient).empty(); });
  return gradients;
}

namespace {

std::vector<Rewrite::Slot> slots_of(const std::vector<const StepItem*>& items) {
  std::vector<Rewrite::Slot> slots;
  for (const StepItem* item : items) {
    const std::string& value = item->state->parameter.data().text();
    ParameterUpdate update{.parameter = item->state->parameter, .outcome = Outcome::unchanged, .old_value = value};
    update.gradients = feedback_of(*item);
    slots.push_back({.item = item, .checks = Checks(*item->state, *item->options), .update = std::move(update)});
  }
  return slots;
}

std::vector<Subject> subjects_of(const std::vector<Rewrite::Slot>& slots, Aim aim) {
  std::vector<Subject> subjects;
  for (const Rewrite::Slot& slot : slots)
    subjects.push_back({slot.item->state, slot.update.gradients, slot.checks.texts(), aim});
  return subjects;
}

SentPrompt prompt_for(const std::vector<Rewrite::Slot>& slots, const Rewrite::Siblings& siblings, PromptParts& parts, Aim aim) {
  const std::vector<Subject> subjects = subjects_of(slots, aim);
  return meta_prompt({subjects, siblings.nearest, *slots.front().item->options, parts, siblings.more});
}

/// The same request within a half and a quarter of its size, as far as anything may be left out; for a model whose window is
/// smaller than the budget says. Made beforehand: whoever asks for it may do so when the step is over.
Rewrite::Shorter shorter_prompts(const std::vector<Rewrite::Slot>& slots, const Rewrite::Siblings& siblings, PromptParts& parts,
                                 Aim aim, const SentPrompt& sent) {
  const std::vector<Subject> subjects = subjects_of(slots, aim);
  std::size_t size = 0;
  for (const lm::Message& message : sent.messages) size += message.content.size();
  auto shorter = std::make_shared<std::vector<std::vector<lm::Message>>>();
  constexpr std::size_t least = 2000;
  for (std::size_t part = 2; part <= 4 && size / part > least; part *= 2) {
    TGDOptions options = *slots.front().item->options;
    options.context_budget = size / part;
    options.on_notice = {};
    try {
      shorter->push_back(meta_prompt({subjects, siblings.nearest, options, parts, siblings.more}).messages);
    } catch (const ValueError&) {
      break;  // nothing more can be left out
    }
  }
  return shorter;
}

}  // namespace

Rewrite::Rewrite(const std::vector<const StepItem*>& items, Siblings siblings, PromptParts& parts, Aim aim,
                 std::uint64_t sample)
    : options_(*items.front()->options),
      siblings_(std::move(siblings)),
      aim_(aim),
      sample_(sample),
      slots_(slots_of(items)),
      sent_(prompt_for(slots_, siblings_, parts, aim_)),
      first_size_(sent_.messages.size()),
      shorter_(shorter_prompts(slots_, siblings_, parts, aim_, sent_)) {}

Rewrite::Rewrite(const Rewrite& first, std::uint64_t sample) : Rewrite(first) {
  sample_ = sample;
  requests_ = 0;
  asked_ = {};
}

std::string Rewrite::roles() const {
  std::vector<std::string> roles;
  for (const Slot& slot : slots_) roles.push_back(slot.item->state->parameter.role());
  return tgd::detail::join(roles, "\" and \"");
}

lm::Request Rewrite::next_request() {
  ++requests_;
  lm::Request request{sent_.messages, options_.completion_args};
  request.info = {"optimize", "TGD", slots_.size() == 1 ? slots_.front().item->state->parameter.role() : roles(), std::nullopt};
  request.sample = sample_;
  const std::vector<lm::Message> dialogue(sent_.messages.begin() + static_cast<std::ptrdiff_t>(first_size_),
                                          sent_.messages.end());
  request.shortened = [shorter = shorter_, dialogue](std::size_t bytes) {
    std::vector<lm::Message> messages;
    for (const auto& each : *shorter) {
      std::size_t size = 0;
      for (const lm::Message& message : each) size += message.content.size();
      messages = each;
      if (size <= bytes) break;
    }
    if (!messages.empty()) messages.insert(messages.end(), dialogue.begin(), dialogue.end());
    return messages;
  };
  return asked_ = request;
}

void Rewrite::prepare() {
  for (Slot& slot : slots_) {
    if (!slot.distance) slot.distance.emplace(slot.update.old_value);
    if (options_.copied_words > 0 && !slot.conversations)
      slot.conversations = conversation_words(slot.update.gradients, options_.copied_words);
  }
}

void Rewrite::accept(const lm::Reply& reply) {
  prepare();
  std::vector<Complaint> complaints = complaints_about(reply);
  if (!complaints.empty()) options_.model->reject(asked_);
  if (complaints.empty() && changes_nothing() && !has_asked_for_change_ && requests_ <= options_.max_reasks) {
    complaints = complaints_about_no_change();
  }
  asking_ = !complaints.empty() && requests_ <= options_.max_reasks;
  if (asking_) {
    for (lm::Message& message : reask(reply.content, complaints, sent_, options_)) sent_.messages.push_back(std::move(message));
  } else if (!complaints.empty()) {
    keep_old_values(complaints.back());
  }
  if (!asking_) finish();
}

void Rewrite::finish() {
  for (Slot& slot : slots_) {
    ParameterUpdate& update = slot.update;
    update.requests = requests_;
    if (update.outcome == Outcome::updated) {
      update.edit_distance = slot.distance->to(update.new_value);
    } else {
      update.new_value = update.old_value;
    }
  }
}

std::vector<ParameterUpdate> Rewrite::updates() && {
  std::vector<ParameterUpdate> updates;
  for (Slot& slot : slots_) updates.push_back(std::move(slot.update));
  return updates;
}

/// Takes the value of one slot, or says why it cannot be taken.
std::optional<UnusableReply> Rewrite::read(std::size_t index, const lm::Reply& reply) {
  Slot& slot = slots_[index];
  std::vector<std::string> other_tags = sent_.tags;
  other_tags.erase(other_tags.begin() + static_cast<std::ptrdiff_t>(index));
  auto value = read_value(reply, {sent_.tags[index], other_tags, slot.update.old_value, sent_.instructions, options_.prompts});
  if (const auto* problem = std::get_if<UnusableReply>(&value)) return *problem;
  std::string text = slot.item->state->with_kept(std::get<std::string>(std::move(value)));
  if (auto problem = slot.checks.problem(text)) return problem;
  if (auto problem = copied_words(slot, text)) return problem;
  slot.is_open = false;
  slot.update.outcome = text == slot.update.old_value ? Outcome::unchanged : Outcome::updated;
  slot.update.new_value = std::move(text);
  return std::nullopt;
}

std::optional<UnusableReply> Rewrite::copied_words(const Slot& slot, const std::string& value) const {
  if (!slot.conversations || !slot.conversations->find(value)) return std::nullopt;
  // What is allowed hardly ever matters, and takes long to look at.
  std::vector<std::string> allowed = sent_.instructions.allowed();
  for (const Variable& sibling : siblings_.nearest) allowed.push_back(sibling.data().text());
  const auto copied = slot.conversations->find(value, allowed);
  if (!copied) return std::nullopt;
  return unusable(Problem::copied, options_.prompts, {{"text", tgd::detail::excerpt(*copied, 160)}});
}

std::vector<Complaint> Rewrite::complaints_about(const lm::Reply& reply) {
  std::vector<Complaint> complaints;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].is_open) continue;
    auto problem = read(i, reply);
    if (!problem) continue;
    complaints.push_back({i, problem->reason});
    slots_[i].update.problems.push_back(*std::move(problem));
  }
  return complaints;
}

std::vector<Complaint> Rewrite::complaints_about_no_change() {
  has_asked_for_change_ = true;
  std::vector<Complaint> complaints;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    UnusableReply problem = unusable(Problem::unchanged, options_.prompts);
    complaints.push_back({i, problem.reason});
    slots_[i].update.problems.push_back(std::move(problem));
    slots_[i].is_open = true;
  }
  return complaints;
}

bool Rewrite::changes_nothing() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.update.outcome == Outcome::unchanged; });
}

void Rewrite::keep_old_values(const Complaint& last) {
  const std::string reason = fmt::format("no usable reply in {} requests; the last one: {}", requests_, last.reason);
  const std::string role = slots_[last.subject].item->state->parameter.role();
  for (Slot& slot : slots_) {
    slot.update.outcome = Outcome::kept;
    slot.update.reason = slot.is_open ? reason : fmt::format("the value of \"{}\" in the same joint request: {}", role, reason);
  }
}

}  // namespace detail

}  // namespace tgd::optim
