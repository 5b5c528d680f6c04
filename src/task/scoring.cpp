#include "task/scoring.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include <tgd/template.hpp>

#include "cognitive/item_metrics.hpp"
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
          .feedback = {.prompts = prompts},
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
  CommandScoring scoring{
      .evaluator = options_of(spec, prompts, on_error), .best_score = spec.best_score, .optimize = spec.optimize};
  std::optional<Input> target;
  Inputs inputs;
  for (const auto& [name, variable] : batch) {
    if (name == target_name) target = targets_of(batch);
    if (name != target_name && name != row_name) inputs.emplace_back(name, variable);
  }
  if (spec.metric) return (*spec.metric)(prediction, target, inputs, std::move(scoring));
  const double worst = spec.worst_score.value_or(spec.best_score + (spec.higher_is_better ? -1 : 1));
  scoring.evaluator.success = [](double) { return false; };
  return deterministic_evaluator(
      prediction, target.value_or(prediction), [worst](const Data&, const Data&) { return worst; }, purpose_of(spec),
      std::move(scoring.evaluator));
}

struct AnswerMetric {
  const char* name;
  std::optional<Type> type;  // of the evaluator that gives it
};

constexpr std::array answer_metrics_known = {
    AnswerMetric{"length", {}},
    AnswerMetric{"words", {}},
    AnswerMetric{"exact_match", Type::exact_match},
    AnswerMetric{"contains", Type::contains},
    AnswerMetric{"number", Type::number},
    AnswerMetric{"json_fields", Type::json_fields},
    AnswerMetric{"f1", Type::f1},
};

const AnswerMetric* answer_metric(const std::string& name) {
  const auto found = std::find_if(answer_metrics_known.begin(), answer_metrics_known.end(),
                                  [&](const AnswerMetric& metric) { return metric.name == name; });
  return found == answer_metrics_known.end() ? nullptr : &*found;
}

double measured(const AnswerMetric& metric, const EvaluatorSpec& spec, const std::string& answer, const std::string& target) {
  if (metric.type) {
    EvaluatorSpec other = spec;
    other.type = *metric.type;
    return score_of(other, answer, target);
  }
  if (metric.name == std::string_view("length")) return static_cast<double>(detail::count_characters(answer));
  std::istringstream words(answer);
  return static_cast<double>(std::distance(std::istream_iterator<std::string>(words), {}));
}

/// What the task asks for, and what it has a limit for.
std::vector<AnswerMetric> metrics_of(const EvaluatorSpec& spec) {
  std::set<std::string> names(spec.metrics.begin(), spec.metrics.end());
  for (const auto& limit : spec.keep) names.insert(limit.first);
  std::vector<AnswerMetric> metrics;
  for (const std::string& name : names) {
    if (const AnswerMetric* known = answer_metric(name)) metrics.push_back(*known);
  }
  return metrics;
}

/// An answer with a problem is none.
void add_metrics(const EvaluatorSpec& spec, const Evaluation& evaluation, const Variable& prediction, const Batch& batch) {
  const std::vector<AnswerMetric> metrics = metrics_of(spec);
  if (metrics.empty()) return;
  const auto targets = batch.contains(target_name) ? targets_of(batch) : std::vector<std::string>();
  EvaluatorSpec plain = spec;
  plain.metric = {};  // that is the processes' owner
  detail::add_item_metrics(
      evaluation.score,
      [metrics, targets, plain, answers = prediction.detach()](std::size_t i) -> std::map<std::string, double> {
        std::map<std::string, double> figures;
        if (answers.problem(i)) return figures;
        const std::string answer = answers[i].data().item_text();  // whatever became of the others
        for (const AnswerMetric& metric : metrics)
          figures[metric.name] = measured(metric, plain, answer, targets.empty() ? std::string() : targets[i]);
        return figures;
      });
}

}  // namespace

const std::vector<std::string>& answer_metrics() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const AnswerMetric& metric : answer_metrics_known) all.emplace_back(metric.name);
    return all;
  }();
  return names;
}

bool metric_needs_target(const std::string& name) {
  const AnswerMetric* metric = answer_metric(name);
  return metric != nullptr && metric->type;
}

namespace {

Evaluation scored(const EvaluatorSpec& spec, const lm::ChatModelPtr& judge, const Variable& prediction, const Batch& batch,
                  const Prompts& prompts, OnError on_error) {
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

}  // namespace

Evaluation evaluate_predictions(const EvaluatorSpec& spec, const lm::ChatModelPtr& judge, const Variable& prediction,
                                const Batch& batch, const Prompts& prompts, OnError on_error) {
  Evaluation evaluation = scored(spec, judge, prediction, batch, prompts, on_error);
  add_metrics(spec, evaluation, prediction, batch);
  return evaluation;
}

}  // namespace tgd::cli
