// BatchWorker: a thread that does jobs in the order in which they come, all that are there at once. For what may wait for a disk or a
// lock and is wanted by a callback, which must not.
// Thread-safety: every member may be called from any thread, close() and the destructor also from within a job.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/origin.hpp"
#include "core/start_thread.hpp"

namespace tgd::detail {

template <class Job>
class BatchWorker {
 public:
  /// Must not throw. What it owns lives until the thread has ended, or for ever in the child of a fork().
  using Work = std::function<void(std::vector<Job>)>;

  explicit BatchWorker(Work work) : shared_(std::make_shared<Shared>()) {
    shared_->work = std::move(work);
    thread_ = tgd::detail::start_thread("writing files", [shared = shared_] { run(*shared); });
  }
  BatchWorker(const BatchWorker&) = delete;
  BatchWorker& operator=(const BatchWorker&) = delete;
  ~BatchWorker() { close(); }

  void post(Job job) {
    const std::shared_ptr<Shared> shared = shared_;  // the job may destroy this object before the lock is released
    const std::lock_guard lock(shared->mutex);
    shared->jobs.push_back(std::move(job));
    shared->changed.notify_one();
  }

  /// Returns when all jobs are done, unless one of them calls this: then the thread goes on until they are.
  void close() {
    if (!origin_.is_here()) {
      // There is no thread to wait for, and what it uses may be in the middle of a change.
      tgd::detail::keep_for_ever(
          std::make_shared<std::pair<std::shared_ptr<Shared>, std::thread>>(shared_, std::move(thread_)));
      return;
    }
    std::thread ended;
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->is_closing = true;
      ended = std::move(thread_);
      shared_->changed.notify_one();
    }
    if (!ended.joinable()) return;
    if (ended.get_id() == std::this_thread::get_id()) {
      ended.detach();
    } else {
      ended.join();
    }
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Job> jobs;
    bool is_closing = false;
    Work work;
  };

  static void run(Shared& shared) {
    std::unique_lock lock(shared.mutex);
    while (true) {
      shared.changed.wait(lock, [&shared] { return shared.is_closing || !shared.jobs.empty(); });
      if (shared.jobs.empty()) break;
      std::vector<Job> batch = std::exchange(shared.jobs, {});
      lock.unlock();
      shared.work(std::move(batch));  // may destroy the last owner of all this
      lock.lock();
    }
    lock.unlock();
    shared.work = nullptr;  // it may own the worker
  }

  tgd::detail::Origin origin_ = {};
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace tgd::detail
