// Runs side by side: what they came to, and what made the difference.
#pragma once

#include <vector>

#include "report/run_record.hpp"

namespace tgd::cli {

/// The document that `tgd compare` prints and its page shows. Each run is compared with the first one, on the samples that both
/// have measured: those with the same texts in the same part of the data.
/// {"runs": [{folder, name, status, …, "parts": [{part, samples, first, best, interval}]}],
///  "comparisons": [{run, "parts": [{part, shared, first, other, difference, interval, p_value, won, lost}], "won": [sample…],
///                   "lost": […], "settings": [{setting, first, other}], "prompts": [{parameter, added, gone, changes}]}],
///  "notes": [what could not be compared, for people]}
OrderedJson compare_runs(const std::vector<RunRecord>& records);

}  // namespace tgd::cli
