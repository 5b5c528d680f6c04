#include "optim/meta_prompt.hpp"

#include <algorithm>
#include <mutex>

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

std::string feedback_item(const Variable& gradient, const TGDOptions& options) {
  const std::string feedback = gradient.data().item_text();
  const auto& extras = gradient.impl()->extras;
  if (!options.show_context || !extras || extras->contexts.empty()) {
    return options.prompts.render("tgd_feedback_item", {{"feedback", feedback}});
  }
  return options.prompts.render("tgd_feedback_item_with_context", {{"feedback", feedback}, {"context", join(extras->contexts, "\n\n")}});
}

std::string feedback_section(std::span<const Variable> gradients, const TGDOptions& options) {
  std::vector<std::string> items;
  for (const Variable& gradient : gradients) items.push_back(feedback_item(gradient, options));
  return items.empty() ? std::string() : options.prompts.render("tgd_feedback", {{"items", join(items, "\n\n")}});
}

std::string constraints_section(std::span<const Constraint> constraints, const TGDOptions& options) {
  std::vector<std::string> items;
  for (const Constraint& constraint : constraints) {
    items.push_back(fmt::format("{}. {}", items.size() + 1, constraint.variable().data().text()));
  }
  return items.empty() ? std::string() : options.prompts.render("tgd_constraints", {{"items", join(items, "\n")}});
}

std::string momentum_section(const MomentumBuffer& momentum, const TGDOptions& options) {
  std::vector<std::string> items;
  for (const MomentumPair& pair : momentum) {
    std::vector<std::string> feedback;
    for (const Variable& gradient : pair.gradients) {
      if (std::string text = gradient.data().item_text(); !text.empty()) feedback.push_back(std::move(text));
    }
    items.push_back(options.prompts.render("tgd_momentum_item", {{"number", fmt::format("{}", items.size() + 1)},
                                                                 {"value", pair.value.data().text()},
                                                                 {"feedback", join(feedback, "\n\n")}}));
  }
  return items.empty() ? std::string() : options.prompts.render("tgd_momentum", {{"items", join(items, "\n")}});
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
  for (const auto& [name, input] : options.inputs) {
    if (input.is_list() || input.variable().is_batch()) {
      throw ValueError(fmt::format("TGDOptions::inputs: \"{}\" is a list; the meta-prompt takes texts and numbers", name));
    }
    if (!used(name)) {
      throw ValueError(fmt::format("TGDOptions::inputs: \"{0}\" is used by no message: put {{{0}}} into TGDOptions::messages", name));
    }
  }
}

std::vector<Constraint> constraints_of(const Variable& parameter, const TGDOptions& options) {
  std::vector<Constraint> constraints = options.constraints;
  std::vector<std::string> placeholders;
  {
    const std::lock_guard lock(tgd::detail::mutex_of(*parameter.impl()));
    if (const auto& extras = parameter.impl()->extras) placeholders.assign(extras->placeholders.begin(), extras->placeholders.end());
  }
  if (!placeholders.empty()) constraints.push_back(Constraint::keeps_placeholders(std::move(placeholders)));
  return constraints;
}

std::vector<lm::Message> meta_prompt(const Variable& parameter, std::span<const Variable> gradients,
                                     std::span<const Constraint> constraints, const MomentumBuffer& momentum,
                                     const TGDOptions& options) {
  const std::string role = parameter.role();
  const std::string feedback = feedback_section(gradients, options);
  const std::string rules = constraints_section(constraints, options);
  const std::string earlier = momentum_section(momentum, options);
  std::vector<std::string> texts;
  texts.reserve(options.inputs.size());
  std::vector<TemplateInput> inputs{{"role", role.empty() ? "a text of the program" : role},
                                    {"value", parameter.data().text()},
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

std::vector<lm::Message> reask(const std::string& reply, const std::string& reason, const TGDOptions& options) {
  return {{"assistant", reply}, {"user", options.prompts.render("tgd_reask", {{"reason", reason}})}};
}

}  // namespace tgd::optim::detail
