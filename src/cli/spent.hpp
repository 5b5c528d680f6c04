// What earlier sessions of a run have used and come to, out of the run folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

#include <tgd/lm/budgeted.hpp>
#include <tgd/trainer.hpp>

#include "cli/run_folder.hpp"

namespace tgd::cli {

struct Spent {
  std::int64_t calls = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double usd = 0;
};

/// Of the calls in a ledger that were really made. Nothing where there is no such file.
Spent spent_in(const std::filesystem::path& ledger);
lm::BudgetLimits left_of(lm::BudgetLimits limits, const Spent& spent);

/// How far training has come, by metrics.jsonl.
struct ValidationSteps {
  std::size_t last = 0;
  std::optional<ValidationReport> best = {};
};
ValidationSteps validation_steps(const RunFolder& folder);
/// The step whose values are the best; 0: the first ones.
std::size_t best_step(const RunFolder& folder);

}  // namespace tgd::cli
