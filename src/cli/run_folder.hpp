// RunFolder: where a run leaves what it did.
//
//   task.json            the task with all settings in place; can be given to the program again
//   metrics.jsonl        one line for each step and each validation
//   <parameter>.txt      the best value so far, as plain text
//   parameters.json      the best values so far, as Module::load_state_dict() takes them
//   result.json          written at the end, after a failure, too
//
// Every file but metrics.jsonl is written whole or not at all.
// Errors: TaskError for a folder that cannot be used; ValueError where writing fails.
#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/task_document.hpp"

namespace tgd::cli {

class RunFolder {
 public:
  /// Makes `wanted`, which must be new or empty, or runs/<name>-<time> below the current folder.
  RunFolder(const std::string& name, const std::optional<std::filesystem::path>& wanted);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path parameter_file(const std::string& parameter) const { return path_ / (parameter + ".txt"); }

  void write_task(const OrderedJson& task) const;
  /// `state` is what Module::state_dict() gives.
  void write_parameters(const std::vector<std::pair<std::string, std::string>>& values, const Json& state);
  bool has_parameters() const { return has_parameters_; }
  void add_metrics(const OrderedJson& line);
  void write_result(const OrderedJson& result) const;

 private:
  void write_json(const std::string& name, const OrderedJson& json) const;

  std::filesystem::path path_;
  std::ofstream metrics_;
  bool has_parameters_ = false;
};

}  // namespace tgd::cli
