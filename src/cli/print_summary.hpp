// The summary at the end of a run.
#pragma once

#include "cli/terminal.hpp"
#include "run/summary.hpp"

namespace tgd::cli {

void print_summary(Terminal& terminal, const RunReport& report, const Models& models, const RunFolder& folder);

}  // namespace tgd::cli
