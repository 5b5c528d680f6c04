#include "report/run_list.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "core/text.hpp"
#include "report/calls.hpp"
#include "report/data.hpp"
#include "report/members.hpp"
#include "train/run_lock.hpp"

namespace tgd::cli {

namespace {

/// The first call, or else the task file, which is written when a run begins.
std::string started(const std::filesystem::path& folder, const OrderedJson& report) {
  std::time_t time = 0;
  if (report["started"].is_number()) {
    time = report["started"].get<std::time_t>();
  } else {
    std::error_code unknown;
    const auto written = std::filesystem::last_write_time(folder / "task.json", unknown);
    if (unknown) return {};
    time = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(std::chrono::file_clock::to_sys(written)));
  }
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::gmtime(time));
}

/// Whose gain is known, else whose first score is; the parts are in the order of what they say.
const OrderedJson* telling_part(const OrderedJson& parts) {
  for (const OrderedJson& part : parts) {
    if (part["before"].is_number() && part["after"].is_number()) return &part;
  }
  return parts.empty() ? nullptr : &parts[0];
}

std::string ending_of(const OrderedJson& report) {
  const std::string error = text_or(report["error"], "");
  return error.empty() ? text_or(report["ending"], "") : error;
}

}  // namespace

std::string run_status(const std::filesystem::path& folder, const OrderedJson& report) {
  if (tgd::detail::run_lock_holder(folder)) return "running";
  return text_or(report["status"], "");
}

std::string models_text(const OrderedJson& report) {
  std::vector<std::string> names;
  std::vector<std::string> by_role;
  for (const OrderedJson& model : report["models"]) {
    const std::string provider = text_or(model["provider"], "");
    const std::string name = text_or(model["model"], "");
    names.push_back(name.empty() || provider == name ? provider : provider + "/" + name);
    by_role.push_back(text_or(model["role"], "") + " " + names.back());
  }
  const bool is_one = std::all_of(names.begin(), names.end(), [&](const std::string& name) { return name == names.front(); });
  if (names.empty()) return {};
  return is_one ? names.front() : tgd::detail::join(by_role, ", ");
}

RunLine run_line(const std::filesystem::path& folder) {
  const OrderedJson report = report_data(read_run(folder, RunDetail::outcome));
  RunLine line{.folder = folder,
               .started = started(folder, report),
               .task = text_or(report["name"], ""),
               .models = models_text(report),
               .best_score = report["best_score"].get<double>(),
               .status = run_status(folder, report),
               .ending = ending_of(report)};
  if (const OrderedJson* part = telling_part(report["parts"])) {
    line.part = text_or((*part)["name"], "");
    line.samples = (*part)["samples"].get<std::size_t>();
    line.first = number((*part)["before"]);
    line.best = number((*part)["after"]);
  }
  if (const OrderedJson& usage = report["usage"]; usage.is_object()) {
    line.calls = static_cast<std::int64_t>(usage["calls"].get<double>());
    line.cost = number(usage["cost"]);
  }
  return line;
}

std::vector<RunLine> list_runs(const std::filesystem::path& folder) {
  std::vector<RunLine> lines;
  for (const std::filesystem::path& run : run_folders_in(folder)) lines.push_back(run_line(run));
  std::stable_sort(lines.begin(), lines.end(), [](const RunLine& a, const RunLine& b) { return a.started < b.started; });
  return lines;
}

OrderedJson run_line_json(const RunLine& line) {
  const auto text_or_null = [](const std::string& value) { return value.empty() ? OrderedJson(nullptr) : OrderedJson(value); };
  return {{"folder", line.folder.string()},
          {"started", text_or_null(line.started)},
          {"name", line.task},
          {"models", text_or_null(line.models)},
          {"part", text_or_null(line.part)},
          {"samples", line.samples},
          {"first", or_null(line.first)},
          {"best", or_null(line.best)},
          {"calls", or_null(line.calls)},
          {"cost_usd", or_null(line.cost)},
          {"status", line.status},
          {"ending", text_or_null(line.ending)}};
}

}  // namespace tgd::cli
