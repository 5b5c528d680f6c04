// The executor runs continuations and user functions, so that neither the I/O thread nor the caller has to.
// Threads start on demand. A task that waits for data says so (Blocking), and another thread takes its place: tasks that
// wait for each other cannot use up the threads.
// Thread-safety: post() and Blocking from any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/origin.hpp"

namespace tgd::detail {

class Executor {
 public:
  /// The process's executor; its threads end with the process.
  static Executor& shared();

  explicit Executor(std::size_t width);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Runs `task` on some thread. Tasks must not throw.
  void post(std::function<void()> task);

  /// Held by a thread while it waits for data that tasks have to produce. Does nothing on threads outside the executor.
  class Blocking {
   public:
    Blocking();
    ~Blocking();
    Blocking(const Blocking&) = delete;
    Blocking& operator=(const Blocking&) = delete;
  };

 private:
  void work();
  void start_thread_if_needed();  // with mutex_ held

  static thread_local Executor* current_;

  const Origin origin_ = {};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  std::size_t width_;
  std::size_t idle_ = 0;
  std::size_t blocked_ = 0;
  bool stopping_ = false;
};

}  // namespace tgd::detail
