// The members of Variable that need the graph.
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tgd/autograd.hpp>

#include "autograd/graph.hpp"
#include "core/text.hpp"

namespace tgd {

namespace {

std::string shown(const Data& data, std::size_t i) {
  return data.is_text() ? fmt::format("\"{}\"", detail::shorten(data.item_text(i))) : data.item_text(i);
}

std::string shown(const Data& data) {
  if (!data.is_batch()) return shown(data, 0);
  std::vector<std::string> items;
  const bool is_long = data.size() > 6;
  for (std::size_t i = 0; i < (is_long ? 3 : data.size()); ++i) items.push_back(shown(data, i));
  if (is_long) {
    items.emplace_back("...");
    for (std::size_t i = data.size() - 3; i < data.size(); ++i) items.push_back(shown(data, i));
  }
  return fmt::format("[{}]", fmt::join(items, ", "));
}

/// Printing must not throw: a failed operation is shown by its error.
std::string shown_or_error(const Variable& variable) {
  try {
    return shown(variable.data());
  } catch (const std::exception& error) {
    return fmt::format("<failed: {}>", detail::excerpt(error.what()));
  }
}

class ItemBackward final : public autograd::Node {
 public:
  ItemBackward(std::span<const Variable> batch, std::size_t item, detail::Role role)
      : Node(batch), item_(item), size_(batch[0].size()), role_(std::move(role)) {}

  std::string name() const override { return "ItemBackward"; }
  std::string output_role(std::size_t) const override { return role_.text(); }
  autograd::Answer answer(autograd::NodeState*, const autograd::Feedback& feedback, std::span<const lm::Reply>) const override {
    std::string text = detail::feedback_text(feedback.grad_outputs[0], 0);
    if (text.empty()) return {{detail::make_gradient("")}};
    std::vector<std::string> texts(size_);
    texts[item_] = std::move(text);
    return {{detail::make_gradient(std::move(texts))}};
  }

 private:
  std::size_t item_;
  std::size_t size_;
  detail::Role role_;
};

}  // namespace

Variable Variable::operator[](std::size_t i) const {
  if (i >= size()) throw ValueError(fmt::format("there is no item {} in \"{}\", which has {}", i, role(), size()));
  if (!is_batch()) return *this;
  const std::array<Variable, 1> inputs{*this};
  detail::Role item_role = detail::Role::prefixed(fmt::format("item {} of ", i), impl_->role);
  auto node = detail::records_history(inputs) ? std::make_shared<ItemBackward>(inputs, i, item_role) : nullptr;
  return detail::make_result(detail::item_of(impl_->storage, i), std::move(item_role), std::move(node));
}

void Variable::retain_grad() {
  if (is_leaf()) {
    throw StateError(fmt::format("retain_grad() is for results of operations; \"{}\" is a leaf{}", role(),
                                 requires_grad() ? " and keeps its gradients anyway" : " that does not require grad"));
  }
  if (impl_->retains_grad) return;
  impl_->retains_grad = true;
  detail::NodeAccess::make_extras(*impl_->grad_fn).watches.push_back({impl_->output_nr, nullptr, impl_});
}

void Variable::register_hook(std::function<Variable(const Variable&)> hook) {
  if (!requires_grad()) {
    throw StateError(fmt::format("a hook on \"{}\" would never be called, because it does not require grad", role()));
  }
  if (impl_->grad_fn) {
    detail::NodeAccess::make_extras(*impl_->grad_fn).watches.push_back({impl_->output_nr, std::move(hook), {}});
    return;
  }
  const std::lock_guard lock(detail::mutex_of(*impl_));
  impl_->make_extras().hooks.push_back(std::move(hook));
}

std::string to_string(const Variable& variable) {
  const auto node = variable.grad_fn();
  return fmt::format(
      "variable({}, role={}, {})", shown_or_error(variable), variable.role(),
      node ? fmt::format("grad_fn={}", node->name()) : fmt::format("requires_grad={}", variable.requires_grad()));
}

}  // namespace tgd
