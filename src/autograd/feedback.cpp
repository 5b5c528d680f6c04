#include "autograd/feedback.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <tgd/prompts.hpp>

#include "autograd/graph.hpp"
#include "core/text.hpp"

namespace tgd::detail {

namespace {

std::string join_item(std::span<const Variable> gradients, std::size_t i) {
  std::vector<std::string> texts;
  for (const Variable& gradient : gradients) {
    std::string text = gradient.data().item_text(i);
    if (!text.empty()) texts.push_back(std::move(text));
  }
  return texts.empty() ? std::string() : join_items(texts);
}

std::string wrap(const std::string& feedback, const std::string& role) {
  if (feedback.empty()) return feedback;
  return Prompts().render("forwarded_feedback", {{"role", role.empty() ? "this value" : role}, {"feedback", feedback}});
}

Data wrap(const Data& feedback, const std::string& role) {
  if (!feedback.is_batch()) return wrap(feedback.item_text(), role);
  std::vector<std::string> texts;
  texts.reserve(feedback.size());
  for (std::size_t i = 0; i < feedback.size(); ++i) texts.push_back(wrap(feedback.item_text(i), role));
  return texts;
}

}  // namespace

Variable join_gradients(std::span<const Variable> gradients) {
  const std::optional<std::size_t> batch = batch_size("gradients of one value", gradients);
  const bool forwarded = std::any_of(gradients.begin(), gradients.end(),
                                     [](const Variable& gradient) { return tgd::detail::impl_of(gradient)->forwarded; });
  Variable joined;
  if (batch) {
    std::vector<std::string> texts;
    texts.reserve(*batch);
    for (std::size_t i = 0; i < *batch; ++i) texts.push_back(join_item(gradients, i));
    joined = make_gradient(std::move(texts), forwarded);
  } else {
    joined = make_gradient(join_item(gradients, 0), forwarded);
  }
  for (const Variable& gradient : gradients) add_context(*tgd::detail::impl_of(gradient), *tgd::detail::impl_of(joined));
  return joined;
}

Variable receive_gradient(const Variable& gradient, const Role& receiver) {
  const VariableImpl& impl = *tgd::detail::impl_of(gradient);
  Role role = Role::prefixed("feedback to ", receiver);
  auto storage = impl.forwarded ? std::make_shared<Storage>(wrap(gradient.data(), receiver.text())) : impl.storage;
  Variable received = make_variable(std::move(storage), std::move(role));
  add_context(impl, *tgd::detail::impl_of(received));
  return received;
}

}  // namespace tgd::detail
