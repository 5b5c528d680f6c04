// Evaluators: they score predictions and know, without being told, what feedback a prediction deserves. backward() may start
// at either of their outputs.
//
// Shapes: prediction scalar or batch; target a text, a number, a list, or a Variable of the same size, or a scalar for every
// item. The score of a batch is the reduction, or the list of scores without one.
// Errors: ValueError for unequal sizes, TypeError for a target of another kind than the prediction.
// Thread-safety: see Variable.
#pragma once

#include <functional>
#include <string>

#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/export.hpp>
#include <tgd/prompts.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// Two outputs of one node: `auto [score, explanation] = exact_match_evaluator(prediction, target);`
struct Evaluation {
  Variable score;
  Variable explanation;
};

enum class Reduction { none, sum, mean };

struct EvaluatorOptions {
  Reduction reduction = Reduction::sum;
  bool higher_is_better = true;
  /// Whether a score needs no feedback. By default: 1 (or more; with lower scores better, 0 or less).
  std::function<bool(double score)> success = {};
  Prompts prompts = {};
};

/// 1 for an item that equals its target, else 0. The feedback says what was expected and what came; no call is made for it.
TGD_API Evaluation exact_match_evaluator(const Variable& prediction, const Input& target, EvaluatorOptions options = {});

/// fn(prediction item, target item) returns the score. `purpose` says in a few words what it measures ("the overlap of words").
TGD_API Evaluation deterministic_evaluator(const Variable& prediction, const Input& target,
                                           std::function<double(const Data& prediction, const Data& target)> fn,
                                           std::string purpose, EvaluatorOptions options = {});

}  // namespace tgd
