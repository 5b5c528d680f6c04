// The evaluators that a task can name.
#pragma once

#include <string>
#include <vector>

#include <tgd/cognitive/evaluator.hpp>
#include <tgd/prompts.hpp>

#include "task/data.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// One score for each sample, the worst for one that has a problem. `judge` is asked by evaluators of the type "judge" only.
Evaluation evaluate_predictions(const EvaluatorSpec& spec, const lm::ChatModelPtr& judge, const Variable& prediction,
                                const Batch& batch, const Prompts& prompts, OnError on_error = OnError::keep);

/// What tgd can measure of an answer beside its score, by name.
const std::vector<std::string>& answer_metrics();
bool metric_needs_target(const std::string& name);

}  // namespace tgd::cli
