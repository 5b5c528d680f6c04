// Worker: a command that answers questions, one line of JSON for each, on its standard input and output. Several processes of it at the
// same time, each with many questions in flight; answers come in any order, by "id".
//
//   > {"id":1,"prediction":"4"}
//   < {"id":1,"score":1}
//
// A process that dies, is silent for too long, or writes what is no answer is ended and another one takes its place. Which of the
// questions in flight did it is not known: each of them is asked again alone, and only one that brings its process down alone, several
// times, fails. So a process that somebody kills changes no answer. Errors: see Answer.
// Thread-safety: every member may be called from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/origin.hpp"

namespace tgd::detail {

struct WorkerOptions {
  std::vector<std::string> command;   ///< a program, looked for in PATH unless it has a slash, and its arguments
  std::filesystem::path folder = {};  ///< where it runs; empty: where this process does
  /// All that it gets, beside PATH, HOME and LANG as they are here.
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::size_t processes = 1;
  std::chrono::milliseconds timeout = std::chrono::minutes(1);  ///< without an answer to anything that a process was asked
  std::size_t max_in_flight = 256;                              ///< of each process
  /// Hears each line that a process writes to standard error, on the worker's thread; has to be quick.
  std::function<void(std::string_view line)> on_error_line = {};
  /// Of each process, over all others; they are numbered from 0, and one that takes the place of another has its number.
  std::function<std::vector<std::pair<std::string, std::string>>(std::size_t process)> environment_of = {};
  /// Hears that a process gets a question, on the worker's thread; has to be quick.
  std::function<void(std::size_t process)> on_question = {};
  /// Makes what is quoted of a process fit to be shown.
  std::function<std::string(std::string_view text)> shown = {};
};

class Worker {
 public:
  /// One of the three.
  struct Answer {
    nlohmann::ordered_json reply = {};  ///< an object
    std::string problem = {};           ///< this question got no answer: a sentence without a full stop
    std::exception_ptr error = {};      ///< the command cannot be started, or the worker has ended
    std::size_t process = 0;            ///< which one gave the reply
  };
  /// Called once, on the worker's thread; has to be quick.
  using Done = std::function<void(Answer)>;

  /// Starts no process yet: that happens when there is something to ask. Throws ValueError for options that cannot be meant.
  explicit Worker(WorkerOptions options);
  /// Ends the processes: their input is closed, then they and what they started are told to stop, then killed. What is in flight fails.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// `question` is the text of a JSON object, on one line; "id" is put in front of its members. Does not wait.
  void ask(std::string_view question, Done done);

 private:
  class Pool;
  const Origin origin_ = {};
  std::shared_ptr<Pool> pool_;
  std::mutex mutex_;  // for the thread, which starts with the first question
  std::thread thread_;
};

/// For a process that ends without taking its objects apart: kills all processes of all workers, with what they have started.
void kill_worker_processes() noexcept;

}  // namespace tgd::detail
