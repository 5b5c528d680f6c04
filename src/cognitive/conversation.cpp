#include "cognitive/conversation.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "core/text.hpp"

namespace tgd::detail {

Conversation::Conversation(const Messages& messages, const Inputs& inputs) {
  if (messages.empty()) throw ValueError("chat_completion needs at least one message");
  for (const Message& message : messages) add_message(message);
  for (const auto& [name, input] : inputs) add_input(name, input);
  check_inputs_are_used();
  note_placeholders();
}

void Conversation::add_message(const Message& message) {
  if (message.role.empty()) throw ValueError("a message needs a role, such as \"system\" or \"user\"");
  messages_.push_back({message.role, uses_.size(), message.content.size()});
  for (const Variable& variable : message.content)
    add_use(variable, variable.is_batch() ? Spread::itemwise : Spread::shared, 0);
}

void Conversation::add_input(const std::string& name, const Input& input) {
  const auto same_name = [&](const NamedInput& other) { return other.name == name; };
  if (name.empty()) throw ValueError("an input needs a name: {name} stands for it in the messages");
  if (std::any_of(inputs_.begin(), inputs_.end(), same_name)) {
    throw ValueError(fmt::format("there are two inputs of the name \"{}\"", name));
  }
  if (!input.is_list()) {
    inputs_.push_back({name, uses_.size(), 1, false});
    add_use(input.variable(), input.variable().is_batch() ? Spread::itemwise : Spread::shared, 0);
    return;
  }
  inputs_.push_back({name, uses_.size(), input.list().size(), true});
  set_batch_size(input.list().size(), name);
  for (std::size_t i = 0; i < input.list().size(); ++i) {
    if (input.list()[i].is_batch()) {
      throw ValueError(
          fmt::format("the input \"{}\" is a list of Variables, so each has to be a scalar; number {} is a batch of {}", name,
                      i, input.list()[i].size()));
    }
    add_use(input.list()[i], Spread::single, i);
  }
}

void Conversation::add_use(const Variable& variable, Spread part, std::size_t item) {
  std::string role = variable.role();
  if (part == Spread::itemwise) set_batch_size(variable.size(), role);
  const auto [known, is_new] = numbers_.try_emplace(Known{tgd::detail::impl_of(variable).get(), part, item}, variables_.size());
  const std::size_t number = known->second;
  if (is_new) {
    variables_.push_back(variable);
    first_uses_.push_back(uses_.size());
  }
  variable_of_use_.push_back(number);
  uses_.push_back({part, item, std::move(role), tgd::detail::impl_of(variable)->storage});
}

void Conversation::set_batch_size(std::size_t size, const std::string& role) {
  if (batch_ && *batch_ != size) {
    throw ValueError(fmt::format("chat_completion: lists have to be of equal length; \"{}\" has {} items and \"{}\" {}",
                                 batch_role_, *batch_, role, size));
  }
  if (!batch_) batch_role_ = role;
  batch_ = size;
}

void Conversation::check_inputs_are_used() const {
  std::vector<bool> used(inputs_.size());
  for (const MessagePlan& message : messages_) {
    for (std::size_t use = message.first; use < message.first + message.count; ++use) {
      if (!uses_[use].data->is_immediate()) return;  // each item is checked when its data is there
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        const Data& data = uses_[use].data->get();
        for (std::size_t item = 0; item < data.size() && !used[i]; ++item) {
          used[i] = has_placeholder(data.item_text(item), inputs_[i].name);
        }
      }
    }
  }
  if (std::find(used.begin(), used.end(), false) != used.end()) throw_unused(used);
}

// An optimizer that rewrites a template has to know which placeholders must stay.
void Conversation::note_placeholders() const {
  for (const MessagePlan& message : messages_) {
    for (std::size_t use = message.first; use < message.first + message.count; ++use) {
      const Variable& variable = variables_[variable_of_use_[use]];
      if (!variable.is_leaf() || !variable.requires_grad() || variable.is_batch() || !variable.data().is_text()) continue;
      const std::lock_guard lock(mutex_of(*tgd::detail::impl_of(variable)));
      for (const NamedInput& input : inputs_) {
        if (has_placeholder(variable.data().item_text(), input.name))
          tgd::detail::impl_of(variable)->make_extras().placeholders.insert(input.name);
      }
    }
  }
}

void Conversation::throw_unused(const std::vector<bool>& used) const {
  const auto unused = static_cast<std::size_t>(std::find(used.begin(), used.end(), false) - used.begin());
  throw ValueError(fmt::format("the input \"{0}\" is used by no message: put {{{0}}} where its text belongs, or leave it out",
                               inputs_[unused].name));
}

void Conversation::name_items(Storage& replies) const {
  for (const NamedInput& input : inputs_) {
    if (!input.is_list || replies.size() == 0) continue;
    std::vector<SampleOrigin> origins;
    for (std::size_t item = 0; item < input.count; ++item) {
      if (const SampleOrigin* origin = uses_[input.first + item].data->origin(0)) origins.push_back(*origin);
    }
    if (origins.size() == replies.size())
      return replies.set_origins(std::make_shared<const std::vector<SampleOrigin>>(std::move(origins)));
  }
  std::vector<std::shared_ptr<Storage>> whole;
  for (const Use& use : uses_) {
    if (use.part != Spread::single) whole.push_back(use.data);
  }
  inherit_origins(replies, whole);
}

ProblemPtr Conversation::problem(std::size_t item) const {
  ProblemPtr first;
  for (const auto& storage : storages(item)) {
    ProblemPtr problem = storage->problem(item);
    if (!first) first = std::move(problem);
  }
  return first;
}

std::vector<std::shared_ptr<Storage>> Conversation::storages(std::size_t item) const {
  std::vector<std::shared_ptr<Storage>> storages;
  const auto add_uses = [&](std::size_t first, std::size_t count) {
    for (std::size_t use = first; use < first + count; ++use) storages.push_back(uses_[use].data);
  };
  for (const MessagePlan& message : messages_) add_uses(message.first, message.count);
  for (const NamedInput& input : inputs_) input.is_list ? add_uses(input.first + item, 1) : add_uses(input.first, 1);
  return storages;
}

std::vector<lm::Message> Conversation::messages(std::size_t item) const { return fill(item, std::nullopt); }

std::string Conversation::text(std::size_t use, std::size_t item, const std::optional<Substitution>& substitution) const {
  if (substitution && substitution->variable == variable_of_use_[use]) return std::string(substitution->text);
  return uses_[use].data->item(item).item_text();
}

std::vector<lm::Message> Conversation::fill(std::size_t item, const std::optional<Substitution>& substitution) const {
  std::vector<std::string> values;
  std::vector<TemplateInput> inputs;
  values.reserve(inputs_.size());
  for (const NamedInput& input : inputs_) {
    const std::size_t use = input.is_list ? input.first + item : input.first;
    values.push_back(text(use, item, substitution));
    inputs.push_back({input.name, values.back()});
  }
  std::vector<bool> used(inputs_.size());
  std::vector<lm::Message> filled;
  for (const MessagePlan& message : messages_) {
    std::string content;
    for (std::size_t use = message.first; use < message.first + message.count; ++use) {
      if (use != message.first) content += '\n';
      const bool criticised = substitution && substitution->variable == variable_of_use_[use];
      content += criticised ? criticised_text(use, item, substitution->text, inputs)
                            : fill_template(text(use, item, substitution), inputs, &used);
    }
    filled.push_back({message.role, std::move(content)});
  }
  const bool complete = std::find(used.begin(), used.end(), false) == used.end();
  if (!complete && !substitution) throw_unused(used);
  return filled;
}

// Where a template stood, its inputs would be gone with it: the critic is shown them behind the placeholder.
std::string Conversation::criticised_text(std::size_t use, std::size_t item, std::string_view placeholder,
                                          std::span<const TemplateInput> inputs) const {
  const std::string value = uses_[use].data->item(item).item_text();
  std::string shown(placeholder);
  for (const TemplateInput& input : inputs) {
    if (has_placeholder(value, input.name))
      shown += fmt::format("\n<INPUT name=\"{}\">\n{}\n</INPUT>", input.name, input.value);
  }
  return shown;
}

std::string Conversation::transcript(std::size_t item, std::size_t criticised, std::string_view placeholder) const {
  std::string transcript;
  for (const lm::Message& message : fill(item, Substitution{criticised, placeholder})) {
    const std::string tag = upper_case(message.role);
    if (!transcript.empty()) transcript += '\n';
    transcript += fmt::format("<{0}>\n{1}\n</{0}>", tag, message.content);
  }
  return transcript;
}

std::string Conversation::own_text(std::size_t item, const std::function<bool(std::size_t variable)>& is_prompt) const {
  std::vector<std::pair<std::string, std::string>> parts;
  const auto add = [&](const std::string& name, std::size_t use) { parts.emplace_back(name, text(use, item, std::nullopt)); };
  const auto is_own = [&](std::size_t use) {
    return is_batch() ? uses_[use].part != Spread::shared : !is_prompt(variable_of_use_[use]);
  };
  for (const NamedInput& input : inputs_) {
    const std::size_t use = input.is_list ? input.first + item : input.first;
    if (is_own(use)) add(input.name, use);
  }
  for (const MessagePlan& message : messages_) {
    if (!is_batch() && (!inputs_.empty() || message.role != "user")) continue;
    for (std::size_t use = message.first; use < message.first + message.count; ++use) {
      if (is_own(use)) add(message.role, use);
    }
  }
  if (parts.size() == 1) return std::move(parts.front().second);
  std::vector<std::string> lines;
  for (const auto& [name, part] : parts) lines.push_back(fmt::format("{}: {}", name, part));
  return join(lines, "\n");
}

}  // namespace tgd::detail
