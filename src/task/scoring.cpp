#include "task/scoring.hpp"

#include <optional>

#include <tgd/template.hpp>

#include "cognitive/match_evaluator.hpp"
#include "core/text.hpp"
#include "lm/lenient_json.hpp"
#include "task/output.hpp"
#include "task/scores.hpp"

namespace tgd::cli {

namespace {

using Type = EvaluatorSpec::Type;

EvaluatorOptions options_of(const EvaluatorSpec& spec, const Prompts& prompts, OnError on_error) {
  return {.reduction = Reduction::none,
          .higher_is_better = spec.higher_is_better,
          .critique = spec.critique_by_lm ? Critique::lm : Critique::explanation,
          .prompts = prompts,
          .worst_score = spec.worst_score,
          .on_error = on_error};
}

/// White space around an answer is no mistake.
std::vector<std::string> targets_of(const Batch& batch) {
  std::vector<std::string> targets = batch.at(target_name).data().to<std::string>().texts();
  for (std::string& target : targets) target = detail::trim(target);
  return targets;
}

Evaluation judged(const EvaluatorSpec& spec, const lm::ChatModelPtr& judge, const Variable& prediction, const Batch& batch,
                  const Prompts& prompts, OnError on_error) {
  Messages messages;
  std::string all;
  for (const MessageSpec& message : spec.messages) {
    Message made{message.role, {}};
    for (const std::string& text : message.content) made.content.emplace_back(text, "judge's instructions");
    for (const std::string& text : message.content) all += text + "\n";
    messages.push_back(std::move(made));
  }
  Inputs inputs;
  for (const auto& [name, variable] : batch) {
    if (has_placeholder(all, name)) inputs.emplace_back(name, variable);
  }
  std::optional<Input> target;
  if (has_placeholder(all, "target")) target = targets_of(batch);
  return lm_judge_evaluator(
      judge, messages, prediction, target, inputs,
      {.evaluator = options_of(spec, prompts, on_error), .best_score = spec.best_score, .args = spec.args});
}

/// All inputs of the task go to the command.
Evaluation measured_by_command(const EvaluatorSpec& spec, const Variable& prediction, const Batch& batch,
                               const Prompts& prompts, OnError on_error) {
  CommandScoring scoring{.evaluator = options_of(spec, prompts, on_error), .best_score = spec.best_score};
  std::optional<Input> target;
  Inputs inputs;
  for (const auto& [name, variable] : batch) {
    if (name == target_name) target = targets_of(batch);
    if (name != target_name && name != row_name) inputs.emplace_back(name, variable);
  }
  if (spec.command) return (*spec.command)(prediction, target, inputs, std::move(scoring));
  const double worst = spec.worst_score.value_or(spec.best_score + (spec.higher_is_better ? -1 : 1));
  scoring.evaluator.success = [](double) { return false; };
  return deterministic_evaluator(
      prediction, target.value_or(prediction), [worst](const Data&, const Data&) { return worst; }, purpose_of(spec),
      std::move(scoring.evaluator));
}

}  // namespace

Evaluation evaluate_predictions(const EvaluatorSpec& spec, const lm::ChatModelPtr& judge, const Variable& prediction,
                                const Batch& batch, const Prompts& prompts, OnError on_error) {
  if (spec.type == Type::judge) return judged(spec, judge, prediction, batch, prompts, on_error);
  if (spec.type == Type::command) return measured_by_command(spec, prediction, batch, prompts, on_error);
  const auto same = [spec](const Data& got, const Data& wanted) {
    return is_same_text(spec, got.item_text(), wanted.item_text());
  };
  if (spec.type == Type::exact_match && !spec.ignore_case)
    return detail::match_evaluator(prediction, targets_of(batch), same, options_of(spec, prompts, on_error));
  const auto score = [spec](const Data& got, const Data& wanted) {
    return score_of(spec, got.item_text(), wanted.item_text());
  };
  return deterministic_evaluator(prediction, targets_of(batch), score, purpose_of(spec), options_of(spec, prompts, on_error));
}

}  // namespace tgd::cli
