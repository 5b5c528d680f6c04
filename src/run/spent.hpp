// What a run may still use.
#pragma once

#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/cost_meter.hpp>

namespace tgd::cli {

/// The limits less what was paid. `estimated`: by its price, what endpoints gave no figures of; it is in no cost of `paid`.
lm::BudgetLimits left_of(lm::BudgetLimits limits, const lm::ModelCost& paid, const lm::Cost& estimated = {});

}  // namespace tgd::cli
