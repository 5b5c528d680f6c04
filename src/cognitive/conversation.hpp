// The messages of a chat completion with the data of their Variables as it was at the call, so that a later rewrite of a
// prompt cannot change what a critique sees. Private to the library.
// Thread-safety: immutable after construction.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/template.hpp>

#include "cognitive/critique.hpp"
#include "core/variable_impl.hpp"

namespace tgd::detail {

class Conversation {
 public:
  /// Throws ValueError for unequal batches and for inputs that no message uses, where the messages' data is there already.
  Conversation(const Messages& messages, const Inputs& inputs);

  /// The Variables of messages and inputs in order, each once: what the operation is differentiable in.
  const std::vector<Variable>& variables() const noexcept { return variables_; }
  bool is_batch() const noexcept { return batch_.has_value(); }
  /// Number of requests: 1 for a scalar call.
  std::size_t size() const noexcept { return batch_.value_or(1); }

  const Use& use(std::size_t variable) const { return uses_[first_uses_[variable]]; }

  /// Says of which samples the replies are.
  void name_items(Storage& replies) const;
  /// The problem of an input or a message of item i: then nothing is asked. Waits for them, and throws their errors.
  ProblemPtr problem(std::size_t item) const;

  /// What item i waits for.
  std::vector<std::shared_ptr<Storage>> storages(std::size_t item) const;
  /// The messages of item i. Waits for its data. Throws ValueError for an input that no message uses.
  std::vector<lm::Message> messages(std::size_t item) const;
  /// As text for a critic, `placeholder` standing where Variable number `criticised` was used; behind it the inputs of a
  /// template.
  std::string transcript(std::size_t item, std::size_t criticised, std::string_view placeholder) const;
  /// What item i has for itself, without what all share; of a scalar call what no Variable is that `is_prompt`. One text, or
  /// "name: text" lines.
  std::string own_text(std::size_t item, const std::function<bool(std::size_t variable)>& is_prompt) const;

  /// Drops the handles, which have history; the data stays.
  void forget_variables() {
    variables_.clear();
    numbers_.clear();
  }

 private:
  struct NamedInput {
    std::string name;
    std::size_t first;  // index into uses_
    std::size_t count;  // more than one use: a list of Variables, one for each item
    bool is_list;
  };
  struct MessagePlan {
    std::string role;
    std::size_t first;
    std::size_t count;
  };
  struct Substitution {
    std::size_t variable;
    std::string_view text;
  };

  void add_message(const Message& message);
  void add_input(const std::string& name, const Input& input);
  void add_use(const Variable& variable, Spread part, std::size_t item);
  void set_batch_size(std::size_t size, const std::string& role);
  void check_inputs_are_used() const;
  void note_placeholders() const;
  std::string text(std::size_t use, std::size_t item, const std::optional<Substitution>& substitution) const;
  std::vector<lm::Message> fill(std::size_t item, const std::optional<Substitution>& substitution) const;
  std::string criticised_text(std::size_t use, std::size_t item, std::string_view placeholder,
                              std::span<const TemplateInput> inputs) const;
  [[noreturn]] void throw_unused(const std::vector<bool>& used) const;

  std::vector<MessagePlan> messages_;
  std::vector<NamedInput> inputs_;
  std::vector<Use> uses_;
  std::vector<std::size_t> variable_of_use_;
  std::vector<Variable> variables_;
  std::vector<std::size_t> first_uses_;  // of each variable
  using Known = std::tuple<const VariableImpl*, Spread, std::size_t>;
  std::map<Known, std::size_t> numbers_;  // of the variables, by how they are used; as long as there are handles
  std::optional<std::size_t> batch_;
  std::string batch_role_;
};

}  // namespace tgd::detail
