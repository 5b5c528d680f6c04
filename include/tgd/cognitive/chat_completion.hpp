// chat_completion: a language model as a differentiable function of the Variables in its messages.
//
// Shapes: every input and every Variable in a message is a scalar or a batch; any batch makes the call a batch, with one
// request per index, scalars broadcast, and replies in the order of the inputs.
// Returns at once; the reply of item i arrives when item i of all inputs has arrived and the model has answered.
// Errors: ValueError (unequal batches, an input that no message uses) at the call where they are known by then; a failed item
// where the data is read, with the operation's name and the item, or the file and row that it was read from.
// Thread-safety: see Variable.
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/cognitive/feedback_options.hpp>
#include <tgd/export.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// A message whose content is made of Variables, joined by newlines. {name} stands for the input of that name.
struct Message {
  std::string role;  ///< "system", "user", "assistant"
  std::vector<Variable> content;
};
using Messages = std::vector<Message>;

/// What a placeholder stands for: a text, a list of texts, a Variable (scalar or batch), or a list of scalar Variables.
class TGD_API Input {
 public:
  template <std::convertible_to<Variable> T>
  Input(T&& value) : value_(Variable(std::forward<T>(value))) {}    // NOLINT(google-explicit-constructor)
  Input(std::vector<Variable> items) : value_(std::move(items)) {}  // NOLINT(google-explicit-constructor)

  bool is_list() const noexcept { return value_.index() == 1; }
  const Variable& variable() const& { return std::get<Variable>(value_); }
  Variable variable() && { return std::get<Variable>(value_); }
  const std::vector<Variable>& list() const& { return std::get<std::vector<Variable>>(value_); }
  std::vector<Variable> list() && { return std::get<std::vector<Variable>>(value_); }

 private:
  std::variant<Variable, std::vector<Variable>> value_;
};
using Inputs = std::vector<std::pair<std::string, Input>>;

/// How a call of chat_completion is made, for all its items.
struct ChatOptions {
  Json args = {};                    ///< completion arguments, passed through untouched
  OnError on_error = OnError::fail;  ///< see tgd/problem.hpp
  std::string role = "reply";        ///< of the result
  FeedbackOptions feedback = {};     ///< its on_notice hears of the calls themselves as well
};

/// One request per item; none for an item of which an input has a problem. A reply that was cut off (finish_reason "length") is
/// a problem with the text that came; where no completion arguments, here or of the model, limit the length, it is an error
/// unless options.on_error keeps it.
TGD_API Variable chat_completion(const lm::ChatModelPtr& model, const Messages& messages, const Inputs& inputs = {},
                                 ChatOptions options = {}, Place place = Place::here());

}  // namespace tgd
