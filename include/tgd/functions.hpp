// Functions on Variables that need no language model to compute, and the ways to add your own.
//
// Shapes: inputs are scalars or batches of equal length; scalars are broadcast; any batch makes the result a batch.
// Functions given by the user run on tgd's own threads, item by item, as soon as the items of the inputs are there, several
// items at once: what they capture has to stay alive until the result has arrived, and has to be safe to use from any thread.
// An item with a problem (tgd/problem.hpp) passes as it is, with its problem: no function is called for it.
// Errors: those of the data (TypeError, ValueError) at the call where all data is there, else where the result is read; what a
// user's function throws is always thrown where the result is read.
// `place` is for AnomalyGuard; nobody has to give it.
// Thread-safety: see Variable.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/export.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// Numbers add, texts concatenate, lists elementwise (equal length). Role: "<a> and <b>".
/// Feedback goes to both, wrapped in one sentence for its final receiver. Throws TypeError for text + number.
TGD_API Variable add(const Variable& a, const Variable& b, Place place = Place::here());
TGD_API Variable operator+(const Variable& a, const Variable& b);
TGD_API Variable& operator+=(Variable& a, const Variable& b);

/// Numbers add; texts become `<ITEM>a</ITEM><ITEM>b</ITEM>`; lists by position. Roles joined by " and ". Feedback as for add().
/// Throws ValueError for no inputs.
TGD_API Variable sum(const std::vector<Variable>& inputs, Place place = Place::here());

/// The parts between separators (without one: runs of white space), with the role `split part <i> of <role>`. At most
/// `maxsplit` cuts unless negative. Splits each item of a batch; short rows are padded with "". Waits for the data: the number
/// of parts depends on it. Backward combines one `<ITEM>…</ITEM>` per part, in order. Throws ValueError for an empty separator.
TGD_API std::vector<Variable> split(const Variable& text, const std::optional<std::string>& separator = std::nullopt,
                                    int maxsplit = -1, Place place = Place::here());

/// `fn` applied to each item (or to the scalar): parse a reply, lower-case it. Feedback passes through as it is. The role stays
/// unless one is given.
/// An item that `fn` cannot read, which it says by a ParseError, fails the whole, or with OnError::keep goes on as it was, with
/// its problem.
TGD_API Variable map(const Variable& variable, std::function<Data(const Data&)> fn, std::string role = {},
                     OnError on_error = OnError::fail, Place place = Place::here());

/// Elementwise cast to std::string, std::int64_t or double; feedback passes through.
template <class T>
Variable to(const Variable& variable, Place place = Place::here()) {
  return map(
      variable, [](const Data& item) { return item.to<T>(); }, {}, OnError::fail, place);
}

template <class T>
Variable Variable::to() const {
  return tgd::to<T>(*this, {});
}

namespace autograd {

/// A differentiable function as a pair of functions on items.
struct ItemFunction {
  /// Node names are `<name>Backward`.
  std::string name;
  std::function<Data(std::span<const Data> inputs)> forward;
  /// The feedback to each input, given the feedback to the output; "" where there is none. Only called for items with feedback.
  /// For an input that all items share, their feedback is joined as `<ITEM>…</ITEM>`.
  std::function<std::vector<std::string>(std::span<const Data> inputs, const Data& output, const std::string& feedback)>
      backward;
  std::string role = {};  ///< of the result; by default the roles of the inputs joined by " and "
};

TGD_API Variable apply(const ItemFunction& function, const std::vector<Variable>& inputs, Place place = Place::here());

/// A differentiable function on Variables, to derive from. One object serves one call of apply().
class TGD_API Function {
 public:
  virtual ~Function() = default;

  virtual std::string name() const = 0;
  /// Runs without recording history. The results become outputs of one node; they must not be inputs.
  virtual std::vector<Variable> forward(const std::vector<Variable>& inputs) = 0;
  /// The requests that backward() needs the replies to; none by default.
  virtual std::vector<lm::Request> ask(const Feedback& feedback) const;
  /// One gradient per input, nullopt where none is wanted.
  virtual std::vector<Gradient> backward(const Feedback& feedback, std::span<const lm::Reply> replies) const = 0;

 protected:
  /// Keeps values for backward(): snapshots, which a later set_data() does not change. Freed with the graph.
  void save_for_backward(const std::vector<Variable>& variables);
  const std::vector<Variable>& saved() const noexcept { return saved_; }

 private:
  friend class FunctionNode;
  std::vector<Variable> saved_;
};

TGD_API std::vector<Variable> apply(std::shared_ptr<Function> function, const std::vector<Variable>& inputs,
                                    Place place = Place::here());

}  // namespace autograd
}  // namespace tgd
