// Optimizer: what all optimizers have in common. They rewrite parameters from the gradients that a backward pass has left there.
// Thread-safety: one thread at a time for each optimizer.
// Model: torch.optim.Optimizer.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tgd/cognitive/evaluator.hpp>
#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/variable.hpp>

namespace tgd::optim {

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
  /// Appends state_dict() as JSON text with an indent of 2, for checkpoints: optimizers of many parameters may write it without
  /// making the tree.
  virtual void append_state(std::string& text) const;
  /// `models`: those that the state names, by the group's number, where they are not the ones in use.
  virtual void load_state_dict(const Json& state, const std::map<std::string, lm::ChatModelPtr>& models) = 0;
  void load_state_dict(const Json& state) { load_state_dict(state, {}); }

 protected:
  Optimizer() = default;
};

}  // namespace tgd::optim
