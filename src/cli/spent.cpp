#include "cli/spent.hpp"

#include <algorithm>

#include <tgd/lm/usage.hpp>

#include "core/saturating.hpp"

namespace tgd::cli {

namespace {

void take(std::optional<std::int64_t>& limit, std::int64_t used) {
  if (limit) limit = std::max<std::int64_t>(0, detail::saturated_difference(*limit, used));
}
void take(std::optional<double>& limit, double used) {
  if (limit) limit = std::max(0.0, *limit - used);
}

}  // namespace

Spent spent_in(const std::filesystem::path& ledger) {
  Spent spent;
  lm::Usage used;
  detail::read_json_lines<OrderedJson>(ledger, [&](const LineReader& call) {
    if (optional_count(call, "tgd.attempts").value_or(0) == 0) return;
    used += {.calls = 1,
             .prompt_tokens = optional_count(call, "gen_ai.usage.input_tokens").value_or(0),
             .completion_tokens = optional_count(call, "gen_ai.usage.output_tokens").value_or(0)};
    spent.usd += optional_expense(call, "tgd.cost_usd").value_or(0);
  });
  spent.calls = used.calls;
  spent.prompt_tokens = used.prompt_tokens;
  spent.completion_tokens = used.completion_tokens;
  return spent;
}

lm::BudgetLimits left_of(lm::BudgetLimits limits, const Spent& spent) {
  take(limits.calls, spent.calls);
  take(limits.prompt_tokens, spent.prompt_tokens);
  take(limits.completion_tokens, spent.completion_tokens);
  take(limits.usd, spent.usd);
  return limits;
}

ValidationSteps validation_steps(const RunFolder& folder) {
  ValidationSteps steps;
  detail::read_json_lines<OrderedJson>(folder.path() / "metrics.jsonl", [&](const LineReader& line) {
    const std::size_t step = line.at("step").count();
    steps.last = std::max(steps.last, step);
    if (line.at("kind").text() != "validation" || !line.at("is_best").flag()) return;
    steps.best = ValidationReport{line.at("epoch").count(), step, {}, true};
    steps.best->metrics.score = line.at("score").number();
    steps.best->metrics.samples = line.at("samples").count();
  });
  return steps;
}

std::size_t best_step(const RunFolder& folder) {
  const ValidationSteps steps = validation_steps(folder);
  return steps.best ? steps.best->step : 0;
}

}  // namespace tgd::cli
