// Variable: a handle to data, a role and, where it requires grad, to its textual gradients and its history.
//
// Copies are handles to the same Variable (is_same). Gradients are collected in a list, never added up.
// Data of an operation that needs a language model arrives later, item by item: data() waits for it, ready() asks, wait()
// waits without reading. An error of the operation appears where the data is read, and at backward.
//
// Thread-safety: different threads may read a Variable, build graphs on it and append gradients to it at the same time.
// set_data, set_role and copy_ need the caller's own order against readers.
// Model: torch.Tensor / afnio.Variable.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <tgd/data.hpp>
#include <tgd/error.hpp>
#include <tgd/export.hpp>
#include <tgd/problem.hpp>

namespace tgd {

class Variable;

namespace detail {
struct VariableImpl;
const std::shared_ptr<VariableImpl>& impl_of(const Variable& variable) noexcept;
Variable variable_of(std::shared_ptr<VariableImpl> impl);
}  // namespace detail
namespace autograd {
class Node;
struct BackwardOptions;
}  // namespace autograd

class TGD_API Variable {
 public:
  /// A leaf without gradients and history.
  Variable(Data data = {}, std::string role = {}, bool requires_grad = false);  // NOLINT(google-explicit-constructor)
  /// From whatever makes Data: texts, numbers and lists of them.
  template <class T>
  requires(std::convertible_to<T, Data> && !std::derived_from<std::remove_cvref_t<T>, Variable> &&
           !std::same_as<std::remove_cvref_t<T>, Data>) Variable(T&& data)
      : Variable(Data(std::forward<T>(data))) {}  // NOLINT(google-explicit-constructor)

  /// Waits until all items are there. Throws the error of the operation that was to produce them (lowest item first).
  /// The reference is valid until the data of this Variable is set again; of a temporary it is a value.
  const Data& data() const&;
  Data data() && { return data(); }
  bool ready() const;
  void wait() const;
  /// Short for data().text(), data().texts() and so on.
  const std::string& text() const& { return data().text(); }
  std::string text() && { return data().text(); }
  const std::vector<std::string>& texts() const& { return data().texts(); }
  std::vector<std::string> texts() && { return data().texts(); }

  /// What is wrong with an item; nothing for a value. Waits for the item and throws its error.
  std::optional<Problem> problem(std::size_t i = 0) const;
  /// All of them, by item; those of an evaluator's score by the prediction's items, reduced or not. Waits.
  std::map<std::size_t, Problem> problems() const;
  /// What an evaluator has measured of an item beside its score, by name; of an evaluator's score only, reduced or not. Waits.
  std::map<std::string, double> metrics(std::size_t i = 0) const;
  /// Where the sample of an item was read, as far as it is known: it stays with what is made of the sample.
  std::optional<SampleOrigin> origin(std::size_t i = 0) const;

  /// Replaces the data, which has no problems then, and keeps the history: a reply may be parsed in place before backward.
  void set_data(Data data);
  std::string role() const;
  void set_role(std::string role);

  bool requires_grad() const;
  /// Throws StateError for a result: only leaves can be switched.
  void set_requires_grad(bool requires_grad);
  bool is_leaf() const;

  /// The gradients so far, in order of arrival. Throws StateError for a non-leaf without retain_grad().
  std::vector<Variable> grad() const;
  /// Throws StateError where grad() does.
  void append_grad(Variable gradient);
  void clear_grad();
  /// Keep the gradient of a result, too. Throws StateError for a leaf.
  void retain_grad();
  bool retains_grad() const;

  /// Called with the gradient of this Variable in every backward pass; returns it, changed or not. For a leaf once per
  /// incoming path. Throws StateError when the Variable does not require grad.
  void register_hook(std::function<Variable(const Variable&)> hook);

  /// The node that produced this Variable; null for leaves.
  std::shared_ptr<autograd::Node> grad_fn() const;
  /// Which output of grad_fn() this is.
  std::size_t output_nr() const;

  /// Runs the graph backward from here; see autograd.hpp. Without a gradient only on an evaluator's output.
  void backward() const;
  void backward(const autograd::BackwardOptions& options) const;
  void backward(const Variable& gradient) const;
  void backward(const Variable& gradient, const autograd::BackwardOptions& options) const;

  /// Same data and role, no history and no gradients. Shares the data until one of both is set.
  Variable detach() const;
  /// A leaf's independent copy: data, role, requires_grad and gradients. Throws StateError for a result.
  Variable clone() const;
  /// Takes data, role and requires_grad: a scalar from a scalar, a list from a list of equal length, else ValueError.
  void copy_(const Variable& source);

  /// Elementwise cast to std::string, std::int64_t or double, as an operation of the graph: see to() in functions.hpp.
  template <class T>
  Variable to() const;

  /// Whether this is a list; known before the data is there. size() is 1 for a scalar.
  bool is_batch() const;
  std::size_t size() const;
  /// Item i as a scalar, as an operation of the graph: its feedback goes to this item, and the others get none from it. It is
  /// there as soon as the item is. Role: "item <i> of <role>". A scalar is its own item 0. Throws ValueError when out of range.
  Variable operator[](std::size_t i) const;

  friend TGD_API bool is_same(const Variable& a, const Variable& b) noexcept;

 private:
  friend const std::shared_ptr<detail::VariableImpl>& detail::impl_of(const Variable& variable) noexcept;
  friend Variable detail::variable_of(std::shared_ptr<detail::VariableImpl> impl);
  explicit Variable(std::shared_ptr<detail::VariableImpl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<detail::VariableImpl> impl_;
};

inline const std::shared_ptr<detail::VariableImpl>& detail::impl_of(const Variable& variable) noexcept {
  return variable.impl_;
}
inline Variable detail::variable_of(std::shared_ptr<VariableImpl> impl) { return Variable(std::move(impl)); }

TGD_API bool is_same(const Variable& a, const Variable& b) noexcept;

/// `variable(<data>, role=<role>, requires_grad=… | grad_fn=<name>)`; long texts and lists are shortened in the middle.
TGD_API std::string to_string(const Variable& variable);
TGD_API std::ostream& operator<<(std::ostream& out, const Variable& variable);

}  // namespace tgd

template <>
struct fmt::formatter<tgd::Variable> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const tgd::Variable& variable, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(tgd::to_string(variable), context);
  }
};
