#include "cli/print_summary.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/counted.hpp"
#include "core/text.hpp"
#include "run/log.hpp"

namespace tgd::cli {

namespace {

std::string gain_text(const Terminal& terminal, const EvaluatorSpec& evaluator, const PartScores& scores) {
  const double gain = mean(scores.after) - mean(scores.before);
  std::string text = difference_text(evaluator, gain);
  if (const auto chance = chance_of(scores); chance && gain != 0) text += fmt::format(" ({})", chance_text(*chance));
  if (gain == 0) return text;
  return (gain > 0) == evaluator.higher_is_better ? terminal.good(text) : terminal.bad(text);
}

void print_scores(Terminal& terminal, const RunReport& report) {
  const EvaluatorSpec& evaluator = report.task->evaluator;
  terminal.line(fmt::format("{:<12}{:>8}  {:>7}  {:>7}", score_name(evaluator), "samples", "before", "after"));
  for (const auto& [name, scores] : parts_of(report)) {
    if (scores->before.empty()) continue;
    const std::string before = score_text(evaluator, mean(scores->before));
    const std::string after = scores->after.empty() ? "-" : score_text(evaluator, mean(scores->after));
    terminal.line(fmt::format("  {:<10}{:>8}  {:>7}  {:>7}  {}", name, scores->before.size(), before, after,
                              scores->after.empty() ? "" : gain_text(terminal, evaluator, *scores)));
  }
}

/// What answers have been measured by beside their scores.
void print_metrics(Terminal& terminal, const RunReport& report) {
  if (!has_metrics(report)) return;
  terminal.line(fmt::format("{:<20}  {:>7}  {:>7}", "Further metrics", "before", "after"));
  for (const auto& [part, scores] : parts_of(report)) {
    for (const auto& [name, metric] : scores->metrics)
      terminal.line(fmt::format("  {:<18}  {:>7}  {:>7}", fmt::format("{} ({})", name, part), metric_text(metric.before),
                                metric_text(metric.after)));
  }
}

/// What the test part comes to as a whole.
void print_figures(Terminal& terminal, const RunReport& report) {
  const PartScores& scores = report.test;
  if (scores.figures_before.empty() && scores.figures_after.empty()) return;
  std::vector<std::string> names;
  std::map<std::string, std::pair<std::string, std::string>> texts;
  const auto take = [&](const std::vector<SetFigure>& figures, std::string std::pair<std::string, std::string>::*text) {
    for (const SetFigure& figure : figures) {
      if (!texts.contains(figure.name)) names.push_back(figure.name);
      texts[figure.name].*text = figure_text(figure);
    }
  };
  take(scores.figures_before, &std::pair<std::string, std::string>::first);
  take(scores.figures_after, &std::pair<std::string, std::string>::second);
  terminal.line(fmt::format("{:<26}  {:<22}  {}", "The test part as a whole", "before", "after"));
  for (const std::string& name : names) {
    const auto& [before, after] = texts.at(name);
    terminal.line(fmt::format("  {:<24}  {:<22}  {}", name, before.empty() ? "-" : before, after.empty() ? "-" : after));
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

/// Why a parameter is as it was.
std::string unchanged_text(const NewValues& made) {
  if (made.steps == 0) return "unchanged: no step was made";
  if (made.usable > 0) return "unchanged: no new value did better on the validation part";
  if (made.unusable == 0) return "unchanged: no sample needed feedback";
  return "unchanged: none of the replies with a new value could be used" +
         (made.reason.empty() ? std::string() : "; the last one: " + made.reason);
}

/// How the training ended where it was not done, and how to go on.
void print_ending(Terminal& terminal, const RunReport& report, const RunFolder& folder) {
  if (report.ending.empty() || report.ending == to_string(Ending::epochs)) return;
  const bool is_budget = report.ending.starts_with(budget_used_up);
  terminal.line(fmt::format(
      "\nThe training ended after {}: {}{}", tgd::detail::counted(report.new_values.steps, "step"), report.ending,
      is_budget ? fmt::format(". With a larger one it goes on: tgd optimize --resume {} --max-calls N", folder.path().string())
                : std::string()));
}

void print_values(Terminal& terminal, const RunReport& report, const RunFolder& folder) {
  for (std::size_t i = 0; i < report.values.size(); ++i) {
    const auto& [name, value] = report.values[i];
    terminal.line("\n" + terminal.bold(fmt::format("{} before", name)) + "\n" +
                  short_form(report.task->parameters[i].value, (folder.path() / "result.json").string()));
    terminal.line(terminal.bold(fmt::format("{} after", name)) + "\n" +
                  (value == report.task->parameters[i].value ? "  " + unchanged_text(report.new_values)
                                                             : short_form(value, folder.parameter_file(name).string())));
  }
}

}  // namespace

void print_summary(Terminal& terminal, const RunReport& report, const Models& models, const RunFolder& folder) {
  terminal.line("");
  print_scores(terminal, report);
  print_metrics(terminal, report);
  print_figures(terminal, report);
  print_values(terminal, report, folder);
  print_ending(terminal, report, folder);
  if (report.diagnosis && report.diagnosis->solved < report.diagnosis->samples)
    terminal.line("\n" + terminal.bold("What the test part still lacks") + "\n" + indented(to_string(*report.diagnosis)));
  if (const RunProblems& problems = report.problems; problems.counts.any()) {
    terminal.line(fmt::format("\n{} and count as wrong; the first: row {} of the {} part: {}", problems.counts.text(),
                              problems.first.row, problems.first.part, problems.first.problem));
  }
  terminal.line(fmt::format("\n{}; time: {:.1f} s", calls_text(report.calls, report.usage), report.seconds));
  if (const lm::ModelCost& lost = report.abandoned; lost.usage.calls > 0)
    terminal.line(fmt::format("Besides these, {} on the way when a process of this run ended, and {} as spent{}.",
                              tgd::detail::counted(lost.usage.calls, "call was", "calls were"),
                              lost.usage.calls == 1 ? "counts" : "count",
                              lost.cost == lm::Cost() ? "" : " (" + lost.cost.text() + ")"));
  if (models.is_simulated())
    terminal.line("The LM was simulated: these figures show that the loop works, not how well a language model does.");
  terminal.line(fmt::format(
      "Run folder: {} (the prompt is in {}, all of the run in report.html)", folder.path().string(),
      report.values.size() == 1 ? report.values[0].first + ".txt and parameters.json" : "<parameter>.txt and parameters.json"));
}

}  // namespace tgd::cli
