// Runs a program as a user would and keeps what it said.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

#include "support/temporary_folder.hpp"

namespace tgd::test {

struct ProcessOptions {
  std::filesystem::path folder = ".";                   ///< to run in
  std::map<std::string, std::string> environment = {};  ///< besides the test's own, of which OPENAI_* is left out
  std::filesystem::path in = "/dev/null";
  std::filesystem::path out = {};  ///< where standard output goes; empty: into the result
  std::vector<int> closed = {};    ///< of 0, 1 and 2: those that the program finds closed
};

struct ProcessResult {
  int status = -1;  ///< exit status; 128 + the signal's number for a program that was killed
  std::string out = {};
  std::string err = {};
};

/// A program beside the test, to be sent signals; killed with this object. The first argument is the program's path.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  void signal(int number) const;
  /// Whether it has ended, without waiting; wait() says how.
  bool has_ended() const;
  ProcessResult wait();

 private:
  TemporaryFolder output_;
  pid_t id_ = -1;
};

/// Waits for its end.
ProcessResult run_process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

}  // namespace tgd::test
