// Functions that need no language model.
#include <array>

#include <fmt/format.h>

#include "autograd/graph.hpp"

namespace tgd {

namespace {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;
using detail::Role;

/// Hands the feedback to its one output on to every input.
class ForwardingNode : public autograd::Node {
 public:
  ForwardingNode(std::span<const Variable> inputs, Role role) : Node(inputs), role_(std::move(role)) {}

  std::string output_role(std::size_t) const override { return role_.text(); }
  bool forwards_feedback() const override { return true; }

  Answer answer(const Feedback& feedback, std::span<const lm::Reply>) const override {
    return {std::vector<Gradient>(next_edges().size(), pass_on(*feedback.grad_outputs[0]))};
  }

 protected:
  virtual Variable pass_on(const Variable& feedback) const { return feedback; }

 private:
  Role role_;
};

/// The same feedback, marked as given to a result that its receiver is only a part of.
Variable as_forwarded(const Variable& feedback) {
  if (feedback.impl()->forwarded) return feedback;
  Variable forwarded = feedback.detach();
  forwarded.impl()->forwarded = true;
  return forwarded;
}

class AddBackward final : public ForwardingNode {
 public:
  using ForwardingNode::ForwardingNode;
  std::string name() const override { return "AddBackward"; }

 protected:
  Variable pass_on(const Variable& feedback) const override { return as_forwarded(feedback); }
};

class MapBackward final : public ForwardingNode {
 public:
  using ForwardingNode::ForwardingNode;
  std::string name() const override { return "MapBackward"; }
};

Data add_items(const Data& a, const Data& b) {
  if (a.is_text() != b.is_text()) {
    throw TypeError(fmt::format("add: {} and {} cannot be added; convert the number with Data::to<std::string>() or the text with "
                                "Data::to<double>() first",
                                a.description(), b.description()));
  }
  if (a.is_text()) return a.text() + b.text();
  if (a.kind() == Data::Kind::integer && b.kind() == Data::Kind::integer) return a.integer() + b.integer();
  return a.real() + b.real();
}

std::shared_ptr<detail::Storage> add_data(std::span<const Variable> inputs) {
  if (inputs[0].ready() && inputs[1].ready() && !inputs[0].is_batch() && !inputs[1].is_batch()) {
    return std::make_shared<detail::Storage>(add_items(inputs[0].data(), inputs[1].data()));
  }
  return detail::compute_items("add", inputs, [](std::size_t, std::span<const Data> items) {
    return add_items(items[0], items[1]);
  });
}

}  // namespace

Variable add(const Variable& a, const Variable& b) {
  const std::array<Variable, 2> inputs{a, b};
  auto data = add_data(inputs);
  Role role = Role::both(a.impl()->role, b.impl()->role);
  auto node = detail::records_history(inputs) ? std::make_shared<AddBackward>(inputs, role) : nullptr;
  return detail::make_result(std::move(data), std::move(role), std::move(node));
}

Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }

Variable& operator+=(Variable& a, const Variable& b) { return a = add(a, b); }

Variable map(const Variable& variable, std::function<Data(const Data&)> fn, std::string role) {
  const std::array<Variable, 1> inputs{variable};
  auto data = detail::compute_items("map", inputs, [fn = std::move(fn)](std::size_t i, std::span<const Data> items) {
    Data mapped = fn(items[0]);
    if (mapped.is_batch()) throw TypeError(fmt::format("map: the function returned a list for item {}; it has to return a scalar", i));
    return mapped;
  });
  Role result_role = role.empty() ? variable.impl()->role : Role(std::move(role));
  auto node = detail::records_history(inputs) ? std::make_shared<MapBackward>(inputs, result_role) : nullptr;
  return detail::make_result(std::move(data), std::move(result_role), std::move(node));
}

}  // namespace tgd
