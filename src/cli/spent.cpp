#include "cli/spent.hpp"

#include <algorithm>

#include <tgd/lm/observed.hpp>

namespace tgd::cli {

namespace {

template <class Number>
void take(std::optional<Number>& limit, Number used) {
  if (limit) limit = std::max(Number{0}, *limit - used);
}

}  // namespace

Spent spent_in(const std::filesystem::path& ledger) {
  Spent spent;
  if (!std::filesystem::exists(ledger)) return spent;
  for (const Json& line : lm::read_ledger(ledger)) {
    const nlohmann::json& call = line.value();
    if (call.value("tgd.attempts", 0) == 0) continue;
    ++spent.calls;
    spent.prompt_tokens += call.value("gen_ai.usage.input_tokens", std::int64_t{0});
    spent.completion_tokens += call.value("gen_ai.usage.output_tokens", std::int64_t{0});
    if (const auto cost = call.find("tgd.cost_usd"); cost != call.end() && cost->is_number()) spent.usd += cost->get<double>();
  }
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
  for (const OrderedJson& line : read_lines(folder.path() / "metrics.jsonl")) {
    steps.last = std::max(steps.last, line.value("step", std::size_t{0}));
    if (line.value("kind", "") != "validation" || !line.value("is_best", false)) continue;
    steps.best = ValidationReport{line.value("epoch", std::size_t{0}), line.value("step", std::size_t{0}), {}, true};
    steps.best->metrics.score = line.value("score", 0.0);
    steps.best->metrics.samples = line.value("samples", std::size_t{0});
  }
  return steps;
}

std::size_t best_step(const RunFolder& folder) {
  const ValidationSteps steps = validation_steps(folder);
  return steps.best ? steps.best->step : 0;
}

}  // namespace tgd::cli
