// What a run may still use.
#pragma once

#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/cost_meter.hpp>

namespace tgd::cli {

/// The limits less what was paid.
lm::BudgetLimits left_of(lm::BudgetLimits limits, const lm::ModelCost& paid);

}  // namespace tgd::cli
