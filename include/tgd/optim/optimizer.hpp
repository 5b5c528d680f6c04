// Optimizer: what all optimizers have in common.
#pragma once

#include <concepts>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/variable.hpp>

namespace tgd::optim {

class Optimizer;

namespace detail {
/// Appends state_dict() as JSON text with an indent of 2, for checkpoints.
void append_state(std::string& text, const Optimizer& optimizer);
}  // namespace detail

/// What all optimizers have in common. They rewrite parameters from the gradients that a backward pass has left there.
/// Thread-safety: one thread at a time for each optimizer.
/// Model: torch.optim.Optimizer.
class TGD_API Optimizer {
 public:
  using Closure = std::function<Evaluation()>;

  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Rewrites the parameters that have feedback. The closure, when given, runs first and once; its result is returned. Gradients
  /// stay as they are: see clear_grad().
  virtual std::optional<Evaluation> step(const Closure& closure = {}) = 0;
  /// Empties the gradients of all parameters.
  void clear_grad();
  /// All parameters in the order of their groups.
  virtual std::vector<Variable> parameters() const = 0;

  /// How well the present values did, for optimizers that learn from it. Throws ValueError for a score that is not finite.
  virtual void report_score(double score);
  /// Takes the last step back: every parameter, buffer and counter is as before it. Optimizers that can remember what was
  /// rejected, and why. Throws StateError when there is no step to take back.
  virtual void reject(const std::string& reason, std::optional<double> score = {});

  virtual Json state_dict() const = 0;
  /// `models`: those that the state names, by the group's number, where they are not the ones in use.
  virtual void load_state_dict(const Json& state, const std::map<std::string, lm::ChatModelPtr>& models) = 0;
  void load_state_dict(const Json& state) { load_state_dict(state, {}); }

  /// The class's name, for the text form.
  virtual std::string class_type() const { return "Optimizer"; }

  friend TGD_API std::string to_string(const Optimizer& optimizer);

 protected:
  Optimizer() = default;
  /// The "param_groups" of state_dict(), for the text form.
  virtual Json saved_groups() const;

 private:
  friend void detail::append_state(std::string& text, const Optimizer& optimizer);
  /// Optimizers of many parameters may write their state without making the tree.
  virtual void append_state(std::string& text) const;
};

/// The class, then each group with its options, sorted and one a line; long ones end in "...":
///
///     TGD (
///     Parameter Group 0
///         boldness: null
///         …
///     )
TGD_API std::string to_string(const Optimizer& optimizer);
TGD_API std::ostream& operator<<(std::ostream& out, const Optimizer& optimizer);

}  // namespace tgd::optim

template <std::derived_from<tgd::optim::Optimizer> Optimizer>
struct fmt::formatter<Optimizer> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const Optimizer& optimizer, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(to_string(optimizer), context);
  }
};
