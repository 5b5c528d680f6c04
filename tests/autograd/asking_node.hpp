// A node for tests of the engine: it asks a language model once for each input, or does whatever a test says instead.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/lm/chat_model.hpp>

#include "autograd/graph.hpp"

namespace tgd::test {

struct AskingOptions {
  std::string name = "Ask";
  std::string role = "result";
  std::size_t outputs = 1;
  std::function<std::vector<lm::Request>(const autograd::Feedback&)> ask = {};
  std::function<autograd::Answer(const autograd::Feedback&, std::span<const lm::Reply>)> answer = {};
  std::function<void(const autograd::Feedback&)> on_ask = {};
  std::function<std::unique_ptr<autograd::NodeState>()> make_state = {};
  std::function<autograd::Answer(autograd::NodeState*, std::span<const lm::Reply>)> answer_with_state = {};
};

class AskingNode final : public autograd::Node {
 public:
  AskingNode(const std::vector<Variable>& inputs, AskingOptions options) : Node(inputs), options_(std::move(options)) {}

  std::string name() const override { return options_.name + "Backward"; }
  std::string output_role(std::size_t output_nr) const override {
    return options_.outputs == 1 ? options_.role : options_.role + " " + std::to_string(output_nr);
  }
  std::size_t output_count() const override { return options_.outputs; }

  /// Each request: "<role> -> input <i>: <feedback>"; outputs without a gradient show as "-".
  autograd::Asked ask(const autograd::Feedback& feedback) const override {
    if (options_.on_ask) options_.on_ask(feedback);
    if (options_.ask) return {options_.ask(feedback), options_.make_state ? options_.make_state() : nullptr};
    std::vector<lm::Request> requests;
    for (std::size_t edge = 0; edge < next_functions().size(); ++edge) {
      if (!feedback.wants(edge)) continue;
      std::string text = options_.role + " -> input " + std::to_string(edge) + ":";
      for (const autograd::Gradient& gradient : feedback.grad_outputs) text += " " + (gradient ? gradient->text() : "-");
      requests.push_back({.messages = {{"user", std::move(text)}}});
    }
    return {std::move(requests)};
  }

  autograd::Answer answer(autograd::NodeState* state, const autograd::Feedback& feedback,
                          std::span<const lm::Reply> replies) const override {
    if (options_.answer_with_state) return options_.answer_with_state(state, replies);
    if (options_.answer) return options_.answer(feedback, replies);
    autograd::Answer answer;
    for (std::size_t edge = 0; edge < next_functions().size(); ++edge) {
      if (!feedback.wants(edge)) {
        answer.gradients.emplace_back();
        continue;
      }
      answer.gradients.emplace_back(Variable(replies.front().content));
      replies = replies.subspan(1);
    }
    return answer;
  }

 private:
  AskingOptions options_;
};

/// The outputs of one node; their data are their roles.
inline std::vector<Variable> ask_many(const std::vector<Variable>& inputs, AskingOptions options) {
  const std::size_t outputs = options.outputs;
  const auto node = detail::records_history(inputs) ? std::make_shared<AskingNode>(inputs, options) : nullptr;
  std::vector<Variable> results;
  for (std::size_t i = 0; i < outputs; ++i) {
    const std::string role = outputs == 1 ? options.role : options.role + " " + std::to_string(i);
    results.push_back(detail::make_result(std::make_shared<detail::Storage>(Data(role)), detail::Role(role), node, i));
  }
  return results;
}

inline Variable ask_one(const std::vector<Variable>& inputs, AskingOptions options) {
  return ask_many(inputs, std::move(options)).front();
}

inline Variable ask_one(const std::vector<Variable>& inputs, std::string role) {
  return ask_one(inputs, AskingOptions{.role = std::move(role)});
}

inline Variable parameter(std::string role) { return {Data("value of " + role), std::move(role), true}; }

inline std::vector<std::string> gradient_texts(const Variable& variable) {
  std::vector<std::string> texts;
  for (const Variable& gradient : variable.grad()) texts.push_back(gradient.text());
  return texts;
}

}  // namespace tgd::test
