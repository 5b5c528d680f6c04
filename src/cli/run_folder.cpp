#include "cli/run_folder.hpp"

#include <ctime>
#include <system_error>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "core/file.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

std::string dumped(const OrderedJson& json, int indent) {
  return json.dump(indent, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

void expect_unused(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return;
  if (!fs::is_directory(path, error)) throw TaskError("--run-dir: " + path.string() + " is no folder; name a new one");
  if (!fs::is_empty(path, error)) {
    throw TaskError("--run-dir: " + path.string() +
                    " is not empty, and a run never overwrites another one's files; name a new folder or empty this one");
  }
}

/// Two runs in the same second get different folders.
fs::path free_path(const std::string& name) {
  const std::string stem = fmt::format("{}-{:%Y%m%d-%H%M%S}", name, fmt::localtime(std::time(nullptr)));
  fs::path path = fs::path("runs") / stem;
  for (int number = 2; fs::exists(path); ++number) path = fs::path("runs") / fmt::format("{}-{}", stem, number);
  return path;
}

}  // namespace

RunFolder::RunFolder(const std::string& name, const std::optional<fs::path>& wanted)
    : path_(wanted ? *wanted : free_path(name)) {
  if (wanted) expect_unused(path_);
  std::error_code error;
  fs::create_directories(path_, error);
  if (error)
    throw TaskError("cannot make the run folder " + path_.string() + ": " + error.message() +
                    "; name another one with --run-dir");
  metrics_.open(path_ / "metrics.jsonl", std::ios::binary | std::ios::app);
  if (!metrics_) throw TaskError("cannot write into the run folder " + path_.string() + "; name another one with --run-dir");
}

void RunFolder::write_task(const OrderedJson& task) const { write_json("task.json", task); }

void RunFolder::write_parameters(const std::vector<std::pair<std::string, std::string>>& values, const Json& state) {
  for (const auto& [name, value] : values) detail::write_file(parameter_file(name), value + "\n");
  detail::write_file(path_ / "parameters.json", state.dump(2) + "\n");
  has_parameters_ = true;
}

void RunFolder::add_metrics(const OrderedJson& line) {
  metrics_ << dumped(line, -1) << std::flush;
  if (!metrics_) throw ValueError("cannot write " + (path_ / "metrics.jsonl").string());
}

void RunFolder::write_result(const OrderedJson& result) const { write_json("result.json", result); }

void RunFolder::write_json(const std::string& name, const OrderedJson& json) const {
  detail::write_file(path_ / name, dumped(json, 2));
}

}  // namespace tgd::cli
