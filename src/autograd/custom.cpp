// Differentiable functions that users add.
#include <algorithm>

#include <fmt/format.h>

#include <tgd/functions.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "core/rethrow.hpp"
#include "core/text.hpp"

namespace tgd::autograd {

namespace {

using tgd::detail::Role;
using tgd::detail::Storage;

class ItemFunctionNode final : public Node {
 public:
  ItemFunctionNode(const std::vector<Variable>& inputs, ItemFunction function, Role role, std::shared_ptr<Storage> output)
      : Node(inputs), function_(std::move(function)), role_(std::move(role)), output_(std::move(output)) {
    for (const Variable& input : inputs) inputs_.push_back(tgd::detail::impl_of(input)->storage);
  }

  std::string name() const override { return function_.name + "Backward"; }
  std::string output_role(std::size_t) const override { return role_.text(); }

  Answer answer(NodeState*, const Feedback& feedback, std::span<const lm::Reply>) const override {
    std::vector<std::vector<std::string>> texts(inputs_.size(), std::vector<std::string>(output_->size()));
    for (std::size_t i = 0; i < output_->size(); ++i) {
      const std::string comment = tgd::detail::feedback_text(feedback.grad_outputs[0], i);
      if (comment.empty()) continue;
      std::vector<std::string> item = output_->problem(i) ? passed_feedback(i, comment) : item_feedback(i, comment);
      for (std::size_t input = 0; input < inputs_.size(); ++input) texts[input][i] = std::move(item[input]);
    }
    Answer answer;
    for (std::size_t input = 0; input < inputs_.size(); ++input) {
      answer.gradients.push_back(feedback.wants(input) ? Gradient(gradient(input, std::move(texts[input]))) : Gradient());
    }
    return answer;
  }

 protected:
  void release_saved() override {
    inputs_.clear();
    output_.reset();
  }

 private:
  std::vector<std::string> item_feedback(std::size_t i, const std::string& comment) const {
    std::vector<Data> items;
    for (const auto& input : inputs_) items.push_back(input->item(i));
    std::vector<std::string> texts = function_.backward(items, output_->item(i), comment);
    if (texts.size() != inputs_.size()) {
      throw GraphError(
          fmt::format("the backward function returned {} texts for its {} inputs: there has to be one for each, \"\" where "
                      "there is no feedback",
                      texts.size(), inputs_.size()));
    }
    return texts;
  }

  /// The function was not called: what is said goes to the input that has the problem.
  std::vector<std::string> passed_feedback(std::size_t i, const std::string& comment) const {
    std::vector<std::string> texts(inputs_.size());
    const auto cause =
        std::find_if(inputs_.begin(), inputs_.end(), [i](const auto& input) { return input->problem(i) != nullptr; });
    if (cause != inputs_.end()) texts[static_cast<std::size_t>(cause - inputs_.begin())] = comment;
    return texts;
  }

  Variable gradient(std::size_t input, std::vector<std::string> texts) const {
    if (inputs_[input]->is_batch()) return tgd::detail::make_gradient(std::move(texts));
    std::erase_if(texts, [](const std::string& text) { return text.empty(); });
    return tgd::detail::make_gradient(texts.empty() ? std::string() : tgd::detail::join_items(texts));
  }

  ItemFunction function_;
  Role role_;
  std::vector<std::shared_ptr<Storage>> inputs_;
  std::shared_ptr<Storage> output_;
};

}  // namespace

Variable apply(const ItemFunction& function, const std::vector<Variable>& inputs, Place place) {
  const tgd::detail::CalledFrom called(place);
  if (!function.forward || !function.backward) {
    throw ValueError(fmt::format("the function \"{}\" needs both a forward and a backward half", function.name));
  }
  if (inputs.empty()) throw ValueError(fmt::format("the function \"{}\" needs at least one input", function.name));
  auto data = tgd::detail::compute_items_elsewhere(
      function.name, inputs,
      {[forward = function.forward](std::size_t, std::span<const Data> items) { return forward(items); }});
  Role role = function.role.empty() ? tgd::detail::joined_role(inputs) : Role(function.role);
  auto node = tgd::detail::records_history(inputs) ? std::make_shared<ItemFunctionNode>(inputs, function, role, data) : nullptr;
  return tgd::detail::make_result(std::move(data), std::move(role), std::move(node));
}

std::vector<lm::Request> Function::ask(const Feedback&) const { return {}; }

// A snapshot has no history: it cannot make a cycle, and what it was made from can be freed.
void Function::save_for_backward(const std::vector<Variable>& variables) {
  for (const Variable& variable : variables) saved_.push_back(variable.detach());
}

class FunctionNode final : public Node {
 public:
  FunctionNode(std::span<const Variable> inputs, std::shared_ptr<Function> function, std::vector<Role> roles)
      : Node(inputs), function_(std::move(function)), name_(function_->name() + "Backward"), roles_(std::move(roles)) {}

  std::string name() const override { return name_; }
  std::string output_role(std::size_t output_nr) const override { return roles_[output_nr].text(); }
  std::size_t output_count() const override { return roles_.size(); }
  Asked ask(const Feedback& feedback) const override { return {function_->ask(feedback)}; }
  Answer answer(NodeState*, const Feedback& feedback, std::span<const lm::Reply> replies) const override {
    return {function_->backward(feedback, replies)};
  }

 protected:
  void release_saved() override { function_->saved_.clear(); }

 private:
  std::shared_ptr<Function> function_;
  std::string name_;
  std::vector<Role> roles_;
};

std::vector<Variable> apply(std::shared_ptr<Function> function, const std::vector<Variable>& inputs, Place place) {
  const tgd::detail::CalledFrom called(place);
  if (!function) throw ValueError("apply was given no Function");
  std::vector<Variable> outputs;
  {
    const NoGradGuard no_grad;
    try {
      outputs = function->forward(inputs);
    } catch (...) {
      tgd::detail::rethrow_with_prefix(function->name() + ": ");
    }
  }
  std::vector<Role> roles;
  for (const Variable& output : outputs) roles.push_back(tgd::detail::impl_of(output)->role);
  const bool recorded = tgd::detail::records_history(inputs);
  const auto node = recorded ? std::make_shared<FunctionNode>(inputs, std::move(function), roles) : nullptr;
  std::vector<Variable> results;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    results.push_back(
        tgd::detail::make_result(tgd::detail::impl_of(outputs[i])->storage, tgd::detail::impl_of(outputs[i])->role, node, i));
  }
  return results;
}

}  // namespace tgd::autograd
