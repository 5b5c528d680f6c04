// What evaluators share: the judgement of a batch of predictions, its outputs and its node. Private to the library.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include <tgd/cognitive/evaluator.hpp>

#include "autograd/graph.hpp"
#include "cognitive/score_scale.hpp"
#include "core/role.hpp"
#include "core/storage.hpp"

namespace tgd::detail {

/// What an evaluation saw. Shared by its outputs and its node; its items are read when they are there.
struct Judgement {
  std::string operation;
  std::string node_name;
  std::string prompt;                      // of the feedback to an item
  std::string prompt_without_explanation;  // the same for an item without one; empty: `prompt`, too
  std::string purpose;                     // what is measured
  Role prediction_role;
  std::shared_ptr<Storage> prediction;
  std::shared_ptr<Storage> target;        // null without one
  std::shared_ptr<Storage> scores;        // one per item, before reduction
  std::shared_ptr<Storage> explanations;  // one per item where a judge gave them, else null
  double best_score = 1;
  EvaluatorOptions options;

  ScoreScale scale() const { return {best_score, options.higher_is_better}; }
  bool succeeded(std::size_t i) const;
  double worst_score() const;
  /// What the prediction is told about item i; empty when all is well.
  std::string feedback(std::size_t i) const;
  std::string explain_item(std::size_t i) const;
  /// The outputs for the whole batch, where it is reduced.
  Data reduced_score() const;
  std::string summary() const;
};

/// What came for each item, from any thread.
template <class T>
class PerItem {
 public:
  void set(std::size_t item, T value) {
    const std::lock_guard lock(mutex_);
    values_.insert_or_assign(item, std::move(value));
  }
  T of(std::size_t item) const {
    const std::lock_guard lock(mutex_);
    return values_.at(item);
  }
  std::optional<T> find(std::size_t item) const {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(item);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::size_t, T> values_;
};

/// How items are scored: a problem with an item is one with its score, which is the worst.
ItemComputation scoring(const Judgement& plan, std::function<Data(std::size_t i, std::span<const Data> items)> score);

/// The outputs' data, reduced over a batch where that is asked for.
struct JudgedOutputs {
  std::shared_ptr<Storage> score;
  std::shared_ptr<Storage> explanation;
};
JudgedOutputs reduce(const std::shared_ptr<const Judgement>& judgement);

/// Score and explanation as outputs of `node`.
Evaluation make_evaluation(JudgedOutputs outputs, const Role& prediction_role, const std::shared_ptr<autograd::Node>& node);

/// An evaluation whose feedback goes to the prediction, the first of `inputs`.
Evaluation judge_prediction(Judgement judgement, std::span<const Variable> inputs);

/// The role of one of the two outputs.
Role output_role_of(std::size_t output_nr, const Role& prediction_role);

/// The target as one Variable of the prediction's shape; a list of Variables becomes a batch.
Variable target_variable(const Input& target);
/// Throws ValueError when the target does not fit the prediction.
void check_sizes(const std::string& operation, const Variable& prediction, const Variable& target);

}  // namespace tgd::detail
