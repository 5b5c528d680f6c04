// InputPump: reads a pipe or a terminal, where the next byte may never come, in such a way that one can stop waiting for it.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace tgd::cli {

class InputPump {
 public:
  /// After `stop` the input is at its end. Throws ValueError when it cannot be opened.
  InputPump(const std::filesystem::path& input, const std::stop_token& stop);
  InputPump(const InputPump&) = delete;
  InputPump& operator=(const InputPump&) = delete;
  ~InputPump();

  /// Throws ValueError when the input's end was none: it could not be read.
  void expect_read() const;
  /// Where the bytes are to be read from, once.
  std::filesystem::path path() const;

 private:
  void wake() const;
  bool wait(int descriptor, short events) const;
  void pump();

  std::string name_;
  std::atomic<int> error_ = 0;
  int input_ = -1;
  int read_end_ = -1;
  int write_end_ = -1;
  int wake_ = -1;
  std::thread thread_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace tgd::cli
