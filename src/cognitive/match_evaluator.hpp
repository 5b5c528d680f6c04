// exact_match_evaluator() with another idea of what is the same. Private to the library and the program.
#pragma once

#include <functional>

#include <tgd/cognitive/evaluator.hpp>

namespace tgd::detail {

/// `same(prediction, target)` may be called from any thread. Feedback, roles and errors are those of exact_match_evaluator().
Evaluation match_evaluator(const Variable& prediction, const Input& target,
                           std::function<bool(const Data& prediction, const Data& target)> same, EvaluatorOptions options,
                           Place place = Place::here());

}  // namespace tgd::detail
