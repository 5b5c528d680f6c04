// Functions that need no language model.
#include <tgd/functions.hpp>

#include <array>

#include <fmt/format.h>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "core/text.hpp"

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

 private:
  Role role_;
};

/// The same feedback, marked as given to a result that its receiver is only a part of.
Variable as_forwarded(const Variable& feedback) {
  if (tgd::detail::impl_of(feedback)->forwarded) return feedback;
  Variable forwarded = feedback.detach();
  tgd::detail::impl_of(forwarded)->forwarded = true;
  return forwarded;
}

/// What was said to the items of a list, as one text for the scalar that was added to all of them.
Variable joined(const Variable& feedback) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < feedback.data().size(); ++i) {
    if (std::string text = feedback.data().item_text(i); !text.empty()) texts.push_back(std::move(text));
  }
  return detail::make_gradient(texts.empty() ? std::string() : detail::join_items(texts), true);
}

/// The feedback to each input, of which some may be lists: a scalar beside them gets one text.
template <class Lists>
std::vector<Gradient> shared_out(const Feedback& feedback, const Lists& lists) {
  const Variable forwarded = as_forwarded(*feedback.grad_outputs[0]);
  std::vector<Gradient> gradients;
  gradients.reserve(lists.size());
  for (const bool is_list : lists) gradients.emplace_back(forwarded.is_batch() && !is_list ? joined(forwarded) : forwarded);
  return gradients;
}

class AddBackward final : public ForwardingNode {
 public:
  AddBackward(std::span<const Variable> inputs, Role role)
      : ForwardingNode(inputs, std::move(role)), lists_{inputs[0].is_batch(), inputs[1].is_batch()} {}

  std::string name() const override { return "AddBackward"; }

  Answer answer(autograd::NodeState*, const Feedback& feedback, std::span<const lm::Reply>) const override {
    return {shared_out(feedback, lists_)};
  }

 private:
  std::array<bool, 2> lists_;
};

class SumBackward final : public ForwardingNode {
 public:
  SumBackward(std::span<const Variable> inputs, Role role) : ForwardingNode(inputs, std::move(role)) {
    for (const Variable& input : inputs) lists_.push_back(input.is_batch());
  }

  std::string name() const override { return "SumBackward"; }

  Answer answer(autograd::NodeState*, const Feedback& feedback, std::span<const lm::Reply>) const override {
    return {shared_out(feedback, lists_)};
  }

 private:
  std::vector<bool> lists_;
};

class MapBackward final : public ForwardingNode {
 public:
  using ForwardingNode::ForwardingNode;
  std::string name() const override { return "MapBackward"; }
  Answer answer(autograd::NodeState*, const Feedback& feedback, std::span<const lm::Reply>) const override {
    return {std::vector<Gradient>{feedback.grad_outputs[0]}};
  }
};

void check_same_kind(const char* operation, const Data& a, const Data& b) {
  if (a.is_text() == b.is_text()) return;
  throw TypeError(
      fmt::format("{}: {} and {} cannot be added; convert one of them first, for example with variable.to<std::string>() or "
                  "variable.to<double>()",
                  operation, a.description(), b.description()));
}

Data add_numbers(const Data& a, const Data& b) {
  const bool whole = a.kind() == Data::Kind::integer && b.kind() == Data::Kind::integer;
  if (!whole) return a.real() + b.real();
  std::int64_t total = 0;
  if (__builtin_add_overflow(a.integer(), b.integer(), &total)) return a.real() + b.real();
  return total;
}

Data add_items(const Data& a, const Data& b) {
  check_same_kind("add", a, b);
  return a.is_text() ? Data(a.text() + b.text()) : add_numbers(a, b);
}

std::shared_ptr<detail::Storage> add_data(std::span<const Variable> inputs) {
  const detail::Storage& a = *tgd::detail::impl_of(inputs[0])->storage;
  const detail::Storage& b = *tgd::detail::impl_of(inputs[1])->storage;
  const auto is_plain = [](const detail::Storage& storage) {
    return storage.is_immediate() && !storage.is_batch() && !storage.problem(0) && !storage.origins();
  };
  const bool quick = is_plain(a) && is_plain(b);
  if (quick) return std::make_shared<detail::Storage>(add_items(a.get(), b.get()));
  return detail::compute_items("add", inputs,
                               {[](std::size_t, std::span<const Data> items) { return add_items(items[0], items[1]); }});
}

Data sum_items(std::span<const Data> items) {
  for (const Data& item : items) check_same_kind("sum", items[0], item);
  if (!items[0].is_text()) {
    Data total = items[0];
    for (const Data& item : items.subspan(1)) total = add_numbers(total, item);
    return total;
  }
  std::string joined;
  for (const Data& item : items) joined.append("<ITEM>").append(item.text()).append("</ITEM>");
  return joined;
}

}  // namespace

Variable add(const Variable& a, const Variable& b, Place place) {
  const detail::CalledFrom called(place);
  const std::array<Variable, 2> inputs{a, b};
  auto data = add_data(inputs);
  Role role = Role::both(tgd::detail::impl_of(a)->role, tgd::detail::impl_of(b)->role);
  auto node = detail::records_history(inputs) ? std::make_shared<AddBackward>(inputs, role) : nullptr;
  return detail::make_result(std::move(data), std::move(role), std::move(node));
}

Variable operator+(const Variable& a, const Variable& b) { return add(a, b, {}); }

Variable& operator+=(Variable& a, const Variable& b) { return a = add(a, b, {}); }

Variable sum(const std::vector<Variable>& inputs, Place place) {
  const detail::CalledFrom called(place);
  if (inputs.empty()) throw ValueError("sum needs at least one Variable; it was given none");
  auto data = detail::compute_items("sum", inputs, {[](std::size_t, std::span<const Data> items) { return sum_items(items); }});
  Role role = detail::joined_role(inputs);
  auto node = detail::records_history(inputs) ? std::make_shared<SumBackward>(inputs, role) : nullptr;
  return detail::make_result(std::move(data), std::move(role), std::move(node));
}

Variable map(const Variable& variable, std::function<Data(const Data&)> fn, std::string role, OnError on_error, Place place) {
  const detail::CalledFrom called(place);
  if (!fn) throw ValueError("map needs a function; it was given none");
  const std::array<Variable, 1> inputs{variable};
  auto data = detail::compute_items_elsewhere(
      "map", inputs, {[fn = std::move(fn)](std::size_t, std::span<const Data> items) { return fn(items[0]); }, on_error});
  Role result_role = role.empty() ? tgd::detail::impl_of(variable)->role : Role(std::move(role));
  auto node = detail::records_history(inputs) ? std::make_shared<MapBackward>(inputs, result_role) : nullptr;
  return detail::make_result(std::move(data), std::move(result_role), std::move(node));
}

}  // namespace tgd
