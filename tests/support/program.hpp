// A program that runs beside the test, with its input and output in the test's hands. Ends with the object.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace tgd::test {

/// Where the program is, looking also where daemons are kept; nothing when it is not installed.
std::optional<std::string> find_program(const std::string& name);

class RunningProgram {
 public:
  /// The first argument is the program's path. What it says on its standard error is dropped.
  explicit RunningProgram(std::vector<std::string> arguments);
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  /// Asks it to end and waits until it has.
  ~RunningProgram();

  bool write(std::string_view bytes) const;
  /// Appends what the program prints; false at the end of its output.
  bool read(std::string& into) const;
  /// Tells the program to end; read() returns false then.
  void end();

 private:
  pid_t process_ = -1;
  int input_ = -1;
  int output_ = -1;
};

/// Waits until something accepts connections on the loopback port. False when nothing did within some seconds.
bool wait_for_port(int port);

}  // namespace tgd::test
