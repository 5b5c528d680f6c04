// How well a prediction fits its target, by evaluators that ask no model: by what is meant, not by its bytes. How a text is stored
// (normal form, line ends, kinds of blanks) never counts; case and width only where "ignore_case" is not set. Numbers are read as
// people write them, JSON out of what stands around it, and lists as sets unless the task says that order counts.
// Thread-safety: functions of their arguments.
#pragma once

#include <string>
#include <string_view>

#include "task/task.hpp"

namespace tgd::cli {

/// From 0 to 1. What is no number or no JSON scores 0.
double score_of(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target);

/// Whether two texts are the same to an evaluator that compares texts.
bool is_same_text(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target);

/// A text as it is compared.
std::string compared_text(const EvaluatorSpec& spec, std::string_view text);

/// What is measured, for the feedback. Not for a judge.
std::string purpose_of(const EvaluatorSpec& spec);

}  // namespace tgd::cli
