#include "cli/summary.hpp"

#include <array>

#include <fmt/format.h>
#include <tgd/version.hpp>

#include "cli/progress.hpp"
#include "core/text.hpp"

namespace tgd::cli {

namespace {

using NamedScores = std::pair<const char*, const PartScores*>;

std::array<NamedScores, 3> parts_of(const RunReport& report) {
  return {{{"test", &report.test}, {"validation", &report.validation}, {"train", &report.train}}};
}

OrderedJson score_json(const std::optional<Metrics>& metrics) {
  return metrics ? OrderedJson(metrics->score) : OrderedJson(nullptr);
}

OrderedJson accuracy_json(const RunReport& report) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, scores] : parts_of(report)) {
    json[name] = {{"before", score_json(scores->before)},
                  {"after", score_json(scores->after)},
                  {"samples", scores->before ? OrderedJson(scores->before->samples) : OrderedJson(nullptr)}};
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
  for (const auto& [role, model] : models.by_role()) {
    json[role] = {{"provider", model->provider()},
                  {"model", model->model_name()},
                  {"usage", OrderedJson(model->usage().to_json().value())}};
  }
  return json;
}

std::string gain_text(const Terminal& terminal, double before, double after) {
  const double points = (after - before) * 100;
  const std::string text = fmt::format("{:+.1f} points", points);
  return points >= 0.05 ? terminal.good(text) : points <= -0.05 ? terminal.bad(text) : text;
}

void print_scores(Terminal& terminal, const RunReport& report) {
  terminal.line(fmt::format("{:<12}{:>8}  {:>7}  {:>7}", "Accuracy", "samples", "before", "after"));
  for (const auto& [name, scores] : parts_of(report)) {
    if (!scores->before || !scores->after) continue;
    terminal.line(fmt::format("  {:<10}{:>8}  {:>7}  {:>7}  {}", name, scores->before->samples, percent(scores->before->score),
                              percent(scores->after->score), gain_text(terminal, scores->before->score, scores->after->score)));
  }
}

std::string indented(const std::string& text) {
  std::string result;
  bool at_line_start = true;
  for (const char c : text) {
    if (at_line_start && c != '\n') result += "  ";
    at_line_start = c == '\n';
    result += c;
  }
  return result;
}

/// Long prompts are in the run folder.
std::string short_form(const std::string& text, const std::string& file) {
  constexpr std::size_t most = 1500;
  const std::size_t size = detail::count_characters(text);
  if (size <= most) return indented(text);
  return indented(detail::excerpt(text, most)) + fmt::format("\n  [{} more characters in {}]", size - most, file);
}

void print_values(Terminal& terminal, const RunReport& report, const RunFolder& folder) {
  for (std::size_t i = 0; i < report.values.size(); ++i) {
    const auto& [name, value] = report.values[i];
    terminal.line("\n" + terminal.bold(fmt::format("{} before", name)) + "\n" +
                  short_form(report.task->parameters[i].value, (folder.path() / "result.json").string()));
    terminal.line(terminal.bold(fmt::format("{} after", name)) + "\n" +
                  (value == report.task->parameters[i].value ? "  unchanged: no new value did better on the validation part"
                                                             : short_form(value, folder.parameter_file(name).string())));
  }
}

void print_calls(Terminal& terminal, const RunReport& report, const Models& models) {
  std::vector<std::string> purposes;
  std::int64_t total = 0;
  for (const auto& [purpose, count] : models.calls()) {
    purposes.push_back(fmt::format("{} {}", count, purpose.empty() ? "other" : purpose));
    total += count;
  }
  const lm::Usage usage = models.usage();
  terminal.line(fmt::format("\nCalls: {} ({}); tokens: {} in, {} out{}; time: {:.1f} s", total, detail::join(purposes, ", "),
                            usage.prompt_tokens, usage.completion_tokens,
                            usage.reported < usage.calls ? " as far as the endpoint said" : "", report.seconds));
}

}  // namespace

OrderedJson result_json(const RunReport& report, const Models& models) {
  OrderedJson json{{"name", report.task->name}, {"status", report.error ? "failed" : "ok"}};
  if (report.error) json["error"] = *report.error;
  json["accuracy"] = accuracy_json(report);
  json["parameters"] = parameters_json(report);
  json["steps"] = report.fit.steps;
  if (report.fit.best) json["best"] = {{"epoch", report.fit.best->epoch}, {"step", report.fit.best->step}};
  json["simulated"] = models.is_simulated();
  json["models"] = models_json(models);
  json["calls"] = models.calls();
  json["seconds"] = report.seconds;
  json["version"] = version();
  return json;
}

void print_summary(Terminal& terminal, const RunReport& report, const Models& models, const RunFolder& folder) {
  terminal.line("");
  print_scores(terminal, report);
  print_values(terminal, report, folder);
  print_calls(terminal, report, models);
  if (models.is_simulated())
    terminal.line("The LM was simulated: these figures show that the loop works, not how well a language model does.");
  terminal.line(fmt::format(
      "Run folder: {} (the prompt is in {})", folder.path().string(),
      report.values.size() == 1 ? report.values[0].first + ".txt and parameters.json" : "<parameter>.txt and parameters.json"));
}

}  // namespace tgd::cli
