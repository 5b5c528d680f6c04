// Runs a program as a user would and keeps what it said.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tgd::test {

struct ProcessOptions {
  std::filesystem::path folder = ".";                   ///< to run in
  std::map<std::string, std::string> environment = {};  ///< besides the test's own, of which OPENAI_* is left out
};

struct ProcessResult {
  int status = -1;  ///< exit status; 128 + the signal's number for a program that was killed
  std::string out = {};
  std::string err = {};
};

/// The first argument is the program's path. Waits for its end.
ProcessResult run_process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

}  // namespace tgd::test
