// What there is to say of a run on one line.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "report/run_record.hpp"

namespace tgd::cli {

struct RunLine {
  std::filesystem::path folder;
  std::string started = {};  ///< "2026-11-21 19:56" in UTC; empty: nobody knows
  std::string task = {};
  std::string models = {};  ///< "gpt-4o-mini", or by role where they differ
  std::string part = {};    ///< whose scores these are: that of the data which says most
  std::size_t samples = 0;
  std::optional<double> first = {};
  std::optional<double> best = {};
  double best_score = 1;  ///< of the metric
  std::optional<std::int64_t> calls = {};
  std::optional<double> cost = {};  ///< nothing: unknown
  std::string status = {};          ///< "ok", "failed", "interrupted", "running", "unfinished"
  std::string ending = {};          ///< in words
};

RunLine run_line(const std::filesystem::path& folder);

/// Of all runs in a folder, the latest last.
std::vector<RunLine> list_runs(const std::filesystem::path& folder);

/// Null where something is not known.
OrderedJson run_line_json(const RunLine& line);

/// "ok", "failed", "interrupted", or what a run without a result is: "running" while a process works on it, else "unfinished".
std::string run_status(const std::filesystem::path& folder, const OrderedJson& report);

/// "openai/gpt-4o-mini", or by role where they differ: "student openai/small, teacher openai/large"; of a report's document.
std::string models_text(const OrderedJson& report);

}  // namespace tgd::cli
