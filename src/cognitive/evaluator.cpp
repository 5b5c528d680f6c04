#include <tgd/cognitive/evaluator.hpp>

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "cognitive/judgement.hpp"
#include "cognitive/match_evaluator.hpp"

namespace tgd {

namespace {

using detail::Judgement;
using detail::Storage;

Evaluation evaluate(Judgement plan, const Variable& prediction, const Input& target_input,
                    const std::function<std::shared_ptr<Storage>(const Judgement&, std::span<const Variable>)>& score) {
  const Variable target = detail::target_variable(target_input);
  detail::check_sizes(plan.operation, prediction, target);
  const std::array<Variable, 2> inputs{prediction, target};
  plan.prediction_role = tgd::detail::impl_of(prediction)->role;
  plan.prediction = tgd::detail::impl_of(prediction)->storage;
  plan.target = tgd::detail::impl_of(target)->storage;
  plan.scores = score(plan, inputs);
  return detail::judge_prediction(std::move(plan), inputs);
}

bool is_exact_match(const Data& prediction, const Data& target) {
  if (prediction.is_text() != target.is_text()) {
    throw TypeError(
        fmt::format("exact_match_evaluator: the prediction is {} and the target {}; convert one of them, for example with "
                    "map(prediction, …)",
                    prediction.description(), target.description()));
  }
  return prediction.is_text() ? prediction == target : is_same_number(prediction, target);
}

double finite_score(double score) {
  if (std::isfinite(score)) return score;
  throw ValueError(
      fmt::format("the score that the function returned is {}; it has to be a number, so return one where there is "
                  "nothing to measure, too",
                  score));
}

}  // namespace

Evaluation exact_match_evaluator(const Variable& prediction, const Input& target, EvaluatorOptions options, Place place) {
  return detail::match_evaluator(
      prediction, target, [](const Data& output, const Data& expected) { return is_exact_match(output, expected); },
      std::move(options), place);
}

Evaluation detail::match_evaluator(const Variable& prediction, const Input& target,
                                   std::function<bool(const Data& prediction, const Data& target)> same,
                                   EvaluatorOptions options, Place place) {
  const detail::CalledFrom called(place);
  Judgement plan;
  plan.operation = "exact_match_evaluator";
  plan.prompt = "exact_match_feedback";
  plan.purpose = "exact match with the expected text";
  plan.options = std::move(options);
  plan.node_name = "ExactMatchEvaluatorBackward";
  return evaluate(std::move(plan), prediction, target, [&same](const Judgement& judgement, std::span<const Variable> inputs) {
    auto score = [same = std::move(same)](std::size_t, std::span<const Data> items) -> Data {
      return same(items[0], items[1]) ? 1 : 0;
    };
    return detail::compute_items("exact_match_evaluator", inputs, detail::scoring(judgement, std::move(score)));
  });
}

Evaluation deterministic_evaluator(const Variable& prediction, const Input& target,
                                   std::function<double(const Data& prediction, const Data& target)> fn, std::string purpose,
                                   EvaluatorOptions options, Place place) {
  const detail::CalledFrom called(place);
  if (!fn) throw ValueError("deterministic_evaluator needs a function that scores a prediction against its target");
  Judgement plan;
  plan.operation = "deterministic_evaluator";
  plan.prompt = "score_feedback";
  plan.purpose = std::move(purpose);
  plan.best_score = options.higher_is_better ? 1 : 0;
  plan.options = std::move(options);
  plan.node_name = "DeterministicEvaluatorBackward";
  return evaluate(std::move(plan), prediction, target, [&fn](const Judgement& judgement, std::span<const Variable> inputs) {
    auto score = [fn = std::move(fn)](std::size_t, std::span<const Data> items) -> Data {
      return finite_score(fn(items[0], items[1]));
    };
    return detail::compute_items_elsewhere("deterministic_evaluator", inputs, detail::scoring(judgement, std::move(score)));
  });
}

}  // namespace tgd
