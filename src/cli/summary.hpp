// The outcome of a run: as result.json and as the summary at the end.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/trainer.hpp>

#include "cli/models.hpp"
#include "cli/run_folder.hpp"
#include "cli/task.hpp"
#include "cli/terminal.hpp"

namespace tgd::cli {

/// One part of the data, measured with the first and with the best parameters.
struct PartScores {
  std::optional<Metrics> before = {};
  std::optional<Metrics> after = {};
};

struct RunReport {
  const Task* task = nullptr;
  PartScores train = {};
  PartScores validation = {};
  PartScores test = {};
  std::vector<std::pair<std::string, std::string>> values = {};  ///< the best so far
  FitResult fit = {};
  std::optional<std::string> error = {};
  double seconds = 0;
};

OrderedJson result_json(const RunReport& report, const Models& models);
void print_summary(Terminal& terminal, const RunReport& report, const Models& models, const RunFolder& folder);

}  // namespace tgd::cli
