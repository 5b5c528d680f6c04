#include "run/spent.hpp"

#include <algorithm>

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

lm::BudgetLimits left_of(lm::BudgetLimits limits, const lm::ModelCost& paid, const lm::Cost& estimated) {
  take(limits.calls, paid.usage.calls);
  take(limits.prompt_tokens, paid.usage.counted_prompt_tokens());
  take(limits.completion_tokens, paid.usage.counted_completion_tokens());
  take(limits.usd, (paid.cost + estimated).usd());
  return limits;
}

}  // namespace tgd::cli
