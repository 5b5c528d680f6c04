// Runs of the program on the shipped task and on small ones.
#pragma once

#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/golden.hpp"
#include "support/process.hpp"
#include "support/temporary_folder.hpp"

namespace tgd::test {

inline const std::filesystem::path examples = TGD_EXAMPLES_DIR;

/// The program with these arguments.
inline ProcessResult run_tgd(std::vector<std::string> arguments, const ProcessOptions& options = {}) {
  arguments.insert(arguments.begin(), TGD_PROGRAM);
  return run_process(arguments, options);
}

/// The program beside the test, to be sent signals.
inline Process start_tgd(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), TGD_PROGRAM);
  return Process(arguments);
}

/// `tgd optimize` with a folder of its own for the run.
inline ProcessResult optimize(const std::filesystem::path& task, const std::filesystem::path& run_dir,
                              std::vector<std::string> flags = {}, const ProcessOptions& options = {}) {
  std::vector<std::string> arguments{TGD_PROGRAM, "optimize", task.string(), "--run-dir", run_dir.string()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return run_process(arguments, options);
}

/// The values on the lines of a text.
inline std::vector<nlohmann::json> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

inline nlohmann::json read_result(const std::filesystem::path& run_dir) {
  return nlohmann::json::parse(read_text(run_dir / "result.json"));
}

inline nlohmann::json shipped_task() {
  return nlohmann::json::parse(read_text(examples / "tickets/task.json"), nullptr, true, true);
}

/// The shipped task with the first `samples` tickets only, two epochs, and steps alone; returns the task file.
inline std::filesystem::path write_small_task(const TemporaryFolder& folder, std::size_t samples = 60) {
  std::istringstream tickets(read_text(examples / "tickets/tickets.jsonl"));
  std::string text;
  std::string line;
  for (std::size_t i = 0; i < samples && std::getline(tickets, line); ++i) text += line + "\n";
  folder.write("tickets.jsonl", text);
  nlohmann::json task = shipped_task();
  task["training"]["epochs"] = 2;
  task["training"]["free_proposals"] = false;
  return folder.write("task.json", task.dump(2));
}

}  // namespace tgd::test
