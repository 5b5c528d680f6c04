// CommandOptions: a command of the user's own, in any language, and how it is run. What it is asked and what it answers say
// those who ask it: tgd/cognitive/command_evaluator.hpp, command_function.hpp, command_agent.hpp.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tgd {

/// A command and how it is run.
struct CommandOptions {
  std::vector<std::string> run = {};  ///< the program, looked for in PATH unless it has a slash, and its arguments
  std::filesystem::path folder = {};  ///< where it runs; empty: where this process does
  std::size_t workers = 1;            ///< processes of it at the same time, each with many items in flight
  double timeout_seconds = 60;        ///< that a process may take for an answer
  /// Its environment beside PATH, HOME and LANG: it gets nothing else, keys in particular.
  std::vector<std::pair<std::string, std::string>> env = {};
  std::size_t max_in_flight = 256;  ///< items that a process has at the same time
  /// Equal questions, ids aside, get equal answers: each is asked once.
  bool is_deterministic = false;
  /// What it writes to standard error is added to this file, without the secrets in `env`; at most 16 MiB by one object. Empty:
  /// only the last of it is kept, for errors.
  std::filesystem::path error_file = {};
};

}  // namespace tgd
