#include "optim/meta_prompt.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/variable_impl.hpp"

namespace tgd::optim::detail {

namespace {

using tgd::detail::join;

Messages messages_of(const TGDOptions& options) {
  if (!options.messages.empty()) return options.messages;
  return {{"system", {std::string(options.prompts.get("tgd_system"))}}, {"user", {std::string(options.prompts.get("tgd_user"))}}};
}

std::string content_of(const Message& message) {
  std::vector<std::string> parts;
  for (const Variable& part : message.content) parts.push_back(part.data().text());
  return join(parts, "\n");
}

/// How much is shown of what may be left out.
struct Extent {
  std::size_t conversations = 0;
  std::size_t versions = 0;
  std::size_t feedback_size = std::numeric_limits<std::size_t>::max();  // of each text
};

std::size_t conversation_count(std::span<const Variable> gradients) {
  std::size_t count = 0;
  for (const Variable& gradient : gradients) {
    if (const auto& extras = gradient.impl()->extras) count += extras->contexts.size();
  }
  return count;
}

std::string left_out(std::size_t count, std::string_view what) {
  return fmt::format("[{} {} left out here, to keep this request within its size]", count, what);
}

/// The conversations behind a gradient, as many as `quota` still allows.
std::string context_text(const Variable& gradient, std::size_t& quota) {
  const auto& extras = gradient.impl()->extras;
  if (!extras || extras->contexts.empty()) return {};
  const std::size_t shown = std::min(quota, extras->contexts.size());
  quota -= shown;
  std::vector<std::string> texts(extras->contexts.begin(), extras->contexts.begin() + static_cast<std::ptrdiff_t>(shown));
  if (shown < extras->contexts.size()) texts.push_back(left_out(extras->contexts.size() - shown, "conversations are"));
  return join(texts, "\n\n");
}

std::string feedback_section(std::span<const Variable> gradients, const Extent& extent, const TGDOptions& options) {
  std::vector<std::string> items;
  std::size_t quota = extent.conversations;
  for (const Variable& gradient : gradients) {
    const std::string feedback = tgd::detail::cut_middle(feedback_text(gradient), extent.feedback_size);
    const std::string context = options.show_context ? context_text(gradient, quota) : std::string();
    items.push_back(context.empty() ? options.prompts.render("tgd_feedback_item", {{"feedback", feedback}})
                                    : options.prompts.render("tgd_feedback_item_with_context", {{"feedback", feedback}, {"context", context}}));
  }
  return items.empty() ? std::string() : options.prompts.render("tgd_feedback", {{"items", join(items, "\n\n")}});
}

std::string constraints_section(std::span<const Constraint> constraints, const TGDOptions& options) {
  std::vector<std::string> items;
  for (const Constraint& constraint : constraints) {
    items.push_back(fmt::format("{}. {}", items.size() + 1, constraint.variable().data().text()));
  }
  return items.empty() ? std::string() : options.prompts.render("tgd_constraints", {{"items", join(items, "\n")}});
}

std::string momentum_section(const MomentumBuffer& momentum, const Extent& extent, const TGDOptions& options) {
  std::vector<std::string> items;
  const std::size_t hidden = momentum.size() - extent.versions;
  for (std::size_t i = hidden; i < momentum.size(); ++i) {
    std::vector<std::string> feedback;
    for (const Variable& gradient : momentum[i].gradients) {
      std::string text = tgd::detail::cut_middle(feedback_text(gradient), extent.feedback_size);
      if (!text.empty()) feedback.push_back(std::move(text));
    }
    items.push_back(options.prompts.render("tgd_momentum_item", {{"number", fmt::format("{}", i + 1)},
                                                                 {"value", momentum[i].value.data().text()},
                                                                 {"feedback", join(feedback, "\n\n")}}));
  }
  if (items.empty()) return {};
  if (hidden > 0) items.insert(items.begin(), left_out(hidden, "older versions are"));
  return options.prompts.render("tgd_momentum", {{"items", join(items, "\n")}});
}

}  // namespace

void check_meta_prompt(const TGDOptions& options) {
  const Messages messages = messages_of(options);
  const auto used = [&](std::string_view name) {
    return std::any_of(messages.begin(), messages.end(),
                       [&](const Message& message) { return has_placeholder(content_of(message), name); });
  };
  for (const std::string_view needed : {"value", "feedback"}) {
    if (!used(needed)) {
      throw ValueError(fmt::format("TGDOptions::messages have no {{{}}}: without it the language model would never see the {}", needed,
                                   needed == "value" ? "value it is to improve" : "feedback"));
    }
  }
  std::set<std::string_view> taken{"role", "value", "feedback", "constraints", "momentum"};
  for (const auto& [name, input] : options.inputs) {
    if (!taken.insert(name).second) {
      throw ValueError(fmt::format("TGDOptions::inputs: the name \"{}\" is taken already; give the input another one", name));
    }
    if (input.is_list() || input.variable().is_batch()) {
      throw ValueError(fmt::format("TGDOptions::inputs: \"{}\" is a list; the meta-prompt takes texts and numbers", name));
    }
    if (!used(name)) {
      throw ValueError(fmt::format("TGDOptions::inputs: \"{0}\" is used by no message: put {{{0}}} into TGDOptions::messages", name));
    }
  }
}

std::string feedback_text(const Variable& gradient) {
  const Data& data = gradient.data();
  if (!data.is_batch()) return data.item_text();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (std::string text = data.item_text(i); !text.empty()) texts.push_back(std::move(text));
  }
  return texts.empty() ? std::string() : tgd::detail::join_items(texts);
}

std::vector<Constraint> constraints_of(const Variable& parameter, const TGDOptions& options) {
  std::vector<Constraint> constraints = options.constraints;
  std::vector<std::string> placeholders;
  {
    const std::lock_guard lock(tgd::detail::mutex_of(*parameter.impl()));
    if (const auto& extras = parameter.impl()->extras) placeholders.assign(extras->placeholders.begin(), extras->placeholders.end());
  }
  // What the value does not hold any more, because the program has set another, need not be kept.
  std::erase_if(placeholders, [&](const std::string& name) { return !has_placeholder(parameter.data().text(), name); });
  if (!placeholders.empty()) constraints.push_back(Constraint::keeps_placeholders(std::move(placeholders)));
  return constraints;
}

namespace {

std::size_t size_of(const std::vector<lm::Message>& messages) {
  std::size_t size = 0;
  for (const lm::Message& message : messages) size += message.content.size();
  return size;
}

std::vector<lm::Message> fill(const MetaPrompt& about, const Extent& extent) {
  const TGDOptions& options = *about.options;
  std::string role = about.parameter.role();
  if (role.empty()) role = "a text of the program";
  const std::string feedback = feedback_section(about.gradients, extent, options);
  const std::string rules = constraints_section(about.constraints, options);
  const std::string earlier = momentum_section(*about.momentum, extent, options);
  std::vector<std::string> texts;
  texts.reserve(options.inputs.size());
  std::vector<TemplateInput> inputs{{"role", role},
                                    {"value", about.parameter.data().text()},
                                    {"feedback", feedback},
                                    {"constraints", rules},
                                    {"momentum", earlier}};
  for (const auto& [name, input] : options.inputs) {
    texts.push_back(input.variable().data().item_text());
    inputs.push_back({name, texts.back()});
  }
  std::vector<lm::Message> filled;
  for (const Message& message : messages_of(options)) filled.push_back({message.role, fill_sections(content_of(message), inputs)});
  return filled;
}

void report(const MetaPrompt& about, const Extent& whole, const Extent& shown) {
  if (!about.options->on_notice) return;
  about.options->on_notice({Notice::Kind::trimmed_context, "TGD", about.parameter.role(), std::nullopt,
                            fmt::format("{} of {} conversations and {} of {} earlier versions were left out of the request for a new "
                                        "value{}, to keep it within the budget of {}",
                                        whole.conversations - shown.conversations, whole.conversations, whole.versions - shown.versions,
                                        whole.versions, shown.feedback_size < whole.feedback_size ? ", and long feedback was cut" : "",
                                        about.options->context_budget)});
}

/// Sets `count` to the largest number, up to its own, with which the request fits. False, and 0, when even 0 is too many.
template <class Fits>
bool shrink(std::size_t& count, Fits fits) {
  std::size_t too_many = count;
  std::size_t enough = count = 0;
  if (!fits()) return false;
  while (too_many - enough > 1) {
    count = enough + (too_many - enough) / 2;
    (fits() ? enough : too_many) = count;
  }
  count = enough;
  return fits();
}

template <class Fits>
bool shrink_feedback(std::size_t& size, Fits fits) {
  for (size = 16'000; size >= 500; size /= 2) {
    if (fits()) return true;
  }
  return false;
}

}  // namespace

std::vector<lm::Message> meta_prompt(const MetaPrompt& about) {
  const Extent whole{conversation_count(about.gradients), about.momentum->size()};
  Extent shown = whole;
  std::vector<lm::Message> messages;
  const auto fits = [&] {
    messages = fill(about, shown);
    return size_of(messages) <= about.options->context_budget;
  };
  if (fits()) return messages;
  if (!shrink(shown.conversations, fits) && !shrink(shown.versions, fits) && !shrink_feedback(shown.feedback_size, fits)) {
    throw ValueError(fmt::format("the request for a new value of \"{}\" has {} characters without any conversation or earlier version, "
                                 "but TGDOptions::context_budget is {}: raise it",
                                 about.parameter.role(), size_of(messages), about.options->context_budget));
  }
  report(about, whole, shown);
  return messages;
}

std::vector<lm::Message> reask(const std::string& reply, const std::string& reason, const TGDOptions& options) {
  return {{"assistant", reply}, {"user", options.prompts.render("tgd_reask", {{"reason", reason}})}};
}

}  // namespace tgd::optim::detail
