// The executor runs continuations and user functions, so that neither the I/O thread nor the caller has to.
// Threads start on demand. A task that waits for data says so (Blocking), and another thread takes its place: tasks that
// wait for each other cannot use up the threads.
// A task may be dropped without having run: at the end of the process, and where no thread can be started. What it owes has to be owned
// by it (Storage::Owed), so that it fails then.
// Thread-safety: post() and Blocking from any thread.
#pragma once

#include <condition_variable>
#include <atomic>
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

  /// Runs `task` on some thread, or drops it when the executor has none for it. Tasks must not throw.
  void post(std::function<void()> task);

  /// Held by a thread while it waits for data that tasks or calls have to produce. Does nothing on threads outside the executor.
  class Blocking {
   public:
    Blocking() : Blocking(nullptr, nullptr) {}
    /// For a wait on `wake` with `mutex`, which must not be held yet: it ends early when the executor does.
    Blocking(std::mutex& mutex, std::condition_variable& wake) : Blocking(&mutex, &wake) {}
    ~Blocking();
    Blocking(const Blocking&) = delete;
    Blocking& operator=(const Blocking&) = delete;

    /// Whether the executor has ended: what is waited for may never come.
    bool interrupted() const noexcept { return executor_ != nullptr && executor_->stopping_; }
    /// Throws StateError when the wait has been given up.
    void check() const;

   private:
    friend class Executor;
    Blocking(std::mutex* mutex, std::condition_variable* wake);

    Executor* executor_;
    std::mutex* mutex_;
    std::condition_variable* wake_;
  };

 private:
  void work();
  /// With mutex_ held. Returns false when no thread is left for a task, and none can be started.
  bool start_thread_if_needed();

  static thread_local Executor* current_;

  const Origin origin_ = {};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  std::size_t width_;
  std::size_t idle_ = 0;
  std::size_t blocked_ = 0;
  std::vector<Blocking*> waiting_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace tgd::detail
