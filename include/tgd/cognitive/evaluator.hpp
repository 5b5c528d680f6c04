// Evaluators: they score predictions and know, without being told, what feedback a prediction deserves. backward() may start
// at either of their outputs.
//
// Shapes: prediction scalar or batch; target a text, a number, a list, or a Variable of the same size, or a scalar for every
// item. The score of a batch is the reduction, or the list of scores without one. An item with a problem gets the worst score
// without being looked at; what was wrong with it is its feedback. Errors: ValueError for unequal sizes, TypeError for a target
// of another kind than the prediction. Thread-safety: see Variable.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/cognitive/feedback_options.hpp>
#include <tgd/export.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// Two outputs of one node: `auto [score, explanation] = exact_match_evaluator(prediction, target);`
struct Evaluation {
  Variable score;
  Variable explanation;
};

enum class Reduction { none, sum, mean };

/// Who words the feedback to a prediction.
enum class Critique {
  explanation,  ///< the evaluator's own explanation; no call is made
  lm            ///< the backward model, from that explanation: one call for each item with feedback
};

/// How an evaluator scores and who words its feedback.
struct EvaluatorOptions {
  Reduction reduction = Reduction::sum;
  bool higher_is_better = true;
  /// Whether a score needs no feedback. By default: 1 (or more; with lower scores better, 0 or less).
  std::function<bool(double score)> success = {};
  Critique critique = Critique::explanation;
  FeedbackOptions feedback = {};  ///< its budget also limits what a judge is asked
  /// The score of an item with a problem. By default 0, or 1 below the best one where that is no more than 0; with lower scores
  /// better 1 above the best one. Where scores can be worse, say so here.
  std::optional<double> worst_score = {};
  /// Of an item that cannot be scored: a function that throws a ParseError, a judge whose verdict cannot be had.
  OnError on_error = OnError::fail;
};

/// 1 for an item that equals its target, else 0. The feedback says what was expected and what came; no call is made for it.
TGD_API Evaluation exact_match_evaluator(const Variable& prediction, const Input& target, EvaluatorOptions options = {},
                                         Place place = Place::here());

/// fn(prediction item, target item) returns the score. `purpose` says in a few words what it measures ("the overlap of words").
TGD_API Evaluation deterministic_evaluator(const Variable& prediction, const Input& target,
                                           std::function<double(const Data& prediction, const Data& target)> fn,
                                           std::string purpose, EvaluatorOptions options = {}, Place place = Place::here());

/// How lm_judge_evaluator asks and reads its judge.
struct JudgeOptions {
  EvaluatorOptions evaluator = {};
  /// The score that needs no feedback where EvaluatorOptions::success is not given (or less, with lower scores better).
  double best_score = 1;
  /// true: the prediction gets feedback, the judge's verdict. false: the judge itself is optimized; messages and inputs get the
  /// feedback that the score and the explanation get, and backward() needs a gradient or another evaluator on the score.
  bool eval_mode = true;
  Json args = {};
  std::size_t max_reasks = 2;  ///< how often a judge that cannot be read is asked again
};

/// A language model judges: its reply has to hold JSON with "score" and "explanation". In the messages {prediction} and
/// {target} stand for the items, other placeholders for `inputs`. Throws, where the result is read, an LMError when no reply
/// can be read, unless evaluator.on_error keeps the item.
TGD_API Evaluation lm_judge_evaluator(const lm::ChatModelPtr& model, const Messages& messages, const Variable& prediction,
                                      const std::optional<Input>& target = std::nullopt, const Inputs& inputs = {},
                                      JudgeOptions options = {}, Place place = Place::here());

}  // namespace tgd
