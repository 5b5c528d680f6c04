#include "run/summary.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <fmt/format.h>
#include <tgd/error.hpp>
#include <tgd/version.hpp>

#include "core/counted.hpp"
#include "core/text.hpp"
#include "train/tally.hpp"

namespace tgd::cli {

namespace {

OrderedJson mean_json(const std::vector<double>& scores) {
  return scores.empty() ? OrderedJson(nullptr) : OrderedJson(mean(scores));
}

OrderedJson accuracy_json(const RunReport& report) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, scores] : parts_of(report)) {
    const auto chance = chance_of(*scores);
    json[name] = {{"before", mean_json(scores->before)},
                  {"after", mean_json(scores->after)},
                  {"samples", scores->before.size()},
                  {"p_value", chance ? OrderedJson(*chance) : OrderedJson(nullptr)}};
  }
  return json;
}

OrderedJson metrics_json(const RunReport& report) {
  const auto figure = [](const std::optional<double>& value) { return value ? OrderedJson(*value) : OrderedJson(nullptr); };
  OrderedJson json = OrderedJson::object();
  for (const auto& [part, scores] : parts_of(report)) {
    for (const auto& [name, metric] : scores->metrics)
      json[name][part] = {{"before", figure(metric.before)}, {"after", figure(metric.after)}};
  }
  return json;
}

OrderedJson set_metrics_json(const RunReport& report) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [part, scores] : parts_of(report)) {
    if (!scores->figures_before.empty() || !scores->figures_after.empty())
      json[part] = {{"before", figures_json(scores->figures_before)}, {"after", figures_json(scores->figures_after)}};
  }
  return json;
}

OrderedJson parameters_json(const RunReport& report) {
  OrderedJson json = OrderedJson::object();
  for (std::size_t i = 0; i < report.values.size(); ++i) {
    const ParameterSpec& spec = report.task->parameters[i];
    json[spec.name] = {{"role", spec.role}, {"first", spec.value}, {"best", report.values[i].second}};
  }
  return json;
}

OrderedJson models_json(const Models& models) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, model] : models.distinct()) {
    json[name] = {{"provider", model->provider()}, {"model", model->model_name()}, {"usage", model->usage().to_json().value()}};
  }
  return json;
}

}  // namespace

std::array<NamedScores, 3> parts_of(const RunReport& report) {
  return {{{"test", &report.test}, {"validation", &report.validation}, {"train", &report.train}}};
}

bool has_metrics(const RunReport& report) {
  const auto parts = parts_of(report);
  return std::any_of(parts.begin(), parts.end(), [](const NamedScores& part) { return !part.second->metrics.empty(); });
}

std::string metric_text(const std::optional<double>& figure) { return figure ? fmt::format("{:.4g}", *figure) : "-"; }

std::optional<double> chance_of(const PartScores& scores) {
  if (scores.before.empty() || scores.before.size() != scores.after.size()) return std::nullopt;
  return two_sided_chance(scores.before, scores.after);
}

std::string calls_text(const CallCounts& counts, const lm::CostReport& costs) {
  std::vector<std::string> purposes;
  std::int64_t total = 0;
  for (const auto& [purpose, count] : counts.by_purpose) {
    purposes.push_back(fmt::format("{} {}", count, purpose.empty() ? "other" : purpose));
    total += count;
  }
  const lm::Usage usage = costs.total().usage;
  std::string text = fmt::format("Calls: {}", total);
  if (!purposes.empty()) text += fmt::format(" ({})", tgd::detail::join(purposes, ", "));
  if (counts.cached > 0) text += fmt::format(", {} from the cache", counts.cached);
  text += fmt::format(
      "; tokens: {} in{}, {} out{}{}", usage.prompt_tokens,
      usage.cached_prompt_tokens > 0 ? fmt::format(" ({} from the endpoint's cache)", usage.cached_prompt_tokens) : "",
      usage.completion_tokens, usage.reasoning_tokens > 0 ? fmt::format(" ({} of thoughts)", usage.reasoning_tokens) : "",
      usage.reported < usage.calls - counts.cached ? " as far as the endpoint said" : "");
  if (usage.estimated_prompt_tokens > 0 || usage.estimated_completion_tokens > 0)
    text +=
        fmt::format(", and about {} in, {} out by estimate", usage.estimated_prompt_tokens, usage.estimated_completion_tokens);
  const auto cost = costs.cost();
  if (!cost || cost->pico_usd() > 0) text += "; cost: " + (cost ? cost->text() : "unknown");
  if (usage.thoughtful > 0)
    text += fmt::format("; {} with thoughts, which are no part of the answers",
                        tgd::detail::counted(usage.thoughtful, "reply came", "replies came"));
  return text;
}

std::string score_text(const EvaluatorSpec& evaluator, double score) {
  return evaluator.best_score == 1 ? fmt::format("{:.1f}%", score * 100) : fmt::format("{:.3g}", score);
}

std::string difference_text(const EvaluatorSpec& evaluator, double difference) {
  return evaluator.best_score == 1 ? fmt::format("{:+.1f} points", difference * 100) : fmt::format("{:+.3g}", difference);
}

std::string score_name(const EvaluatorSpec& evaluator) {
  return evaluator.type == EvaluatorSpec::Type::exact_match || evaluator.type == EvaluatorSpec::Type::number ? "Accuracy"
                                                                                                             : "Score";
}

std::string metric_name(const std::string& evaluator_type) {
  static const std::map<std::string, std::string> names{{"exact_match", "accuracy (exact match)"},
                                                        {"contains", "share of answers that hold the expected one"},
                                                        {"number", "accuracy (numbers)"},
                                                        {"json_fields", "share of right members"},
                                                        {"f1", "F1 of words"},
                                                        {"judge", "score (judged by a model)"},
                                                        {"command", "score (of a command)"}};
  const auto found = names.find(evaluator_type);
  return found == names.end() ? "score" : found->second;
}

std::string chance_text(double chance) { return chance < 0.001 ? "p < 0.001" : fmt::format("p = {:.2g}", chance); }

void expect_few_failed(const FailedRows& failed, std::optional<double> max_share, const Task& task) {
  std::string why = tgd::detail::too_many_failed(failed.problems.failed(), failed.samples,
                                                 max_share ? max_share : task.training.max_failed, failed.first);
  if (why.empty()) why = tgd::detail::none_answered(failed.unanswered, failed.samples, failed.first);
  if (!why.empty()) throw Error(why);
}

OrderedJson result_json(const RunReport& report, const Models& models, const RunFolder& folder) {
  OrderedJson json{{"name", report.task->name}, {"status", report.status}};
  if (!report.ending.empty()) json["ending"] = report.ending;
  if (!report.error.empty()) json["error"] = report.error;
  json["accuracy"] = accuracy_json(report);
  if (has_metrics(report)) json["metrics"] = metrics_json(report);
  if (!report.task->report_metrics.empty()) json["report_metrics"] = set_metrics_json(report);
  json["parameters"] = parameters_json(report);
  json["steps"] = report.steps;
  if (report.best) json["best"] = {{"epoch", report.best->epoch}, {"step", report.best->step}};
  if (report.problems.counts.any()) json["problems"] = report.problems.counts.json();
  if (report.diagnosis) {
    json["diagnosis"] = optim::to_json(*report.diagnosis).value();
    json["diagnosis"]["part"] = "test";
    json["diagnosis"]["text"] = to_string(*report.diagnosis);
  }
  json["simulated"] = models.is_simulated();
  json["models"] = models_json(models);
  json["cost"] = report.usage.to_json().value();
  json["calls"] = report.calls.by_purpose;
  json["cached_calls"] = report.calls.cached;
  // Not what an undisturbed run comes to, and so apart from what it cost.
  if (report.abandoned.usage.calls > 0)
    json["abandoned"] = {
        {"calls", report.abandoned.usage.calls},
        {"prompt_tokens", report.abandoned.usage.prompt_tokens},
        {"completion_tokens", report.abandoned.usage.completion_tokens},
        {"cost_usd", report.abandoned.unknown_calls == 0 ? OrderedJson(report.abandoned.cost.usd()) : OrderedJson()}};
  json["seconds"] = report.seconds;
  json["run_folder"] = folder.path().string();
  json["version"] = version();
  return json;
}

}  // namespace tgd::cli
