#include "core/parallel.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "core/executor.hpp"

namespace tgd::detail {

namespace {

/// What the threads share; it outlives the call for those that come when nothing is left to do.
class Parts {
 public:
  Parts(std::size_t count, std::size_t parts, const std::function<void(std::size_t, std::size_t)>& fn)
      : count_(count), parts_(parts), fn_(fn) {}

  /// Takes parts until there are none.
  void work() {
    std::unique_lock lock(mutex_);
    while (next_ < parts_) {
      const std::size_t part = next_++;
      ++running_;
      lock.unlock();
      std::exception_ptr error;
      try {
        fn_(part * count_ / parts_, (part + 1) * count_ / parts_);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !error_) error_ = error;
      --running_;
    }
    if (running_ == 0) done_.notify_all();
  }

  void finish() {
    work();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const std::size_t count_;
  const std::size_t parts_;
  const std::function<void(std::size_t, std::size_t)>& fn_;  // alive as long as there are parts
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t next_ = 0;
  std::size_t running_ = 0;
  std::exception_ptr error_;
};

}  // namespace

void parallel_for(std::size_t count, std::size_t least, const std::function<void(std::size_t, std::size_t)>& fn) {
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  // More parts than threads: some are slower, or join later.
  const std::size_t parts = std::min(4 * threads, count / std::max<std::size_t>(1, least));
  if (parts < 2 || threads < 2) {
    if (count > 0) fn(0, count);
    return;
  }
  const auto shared = std::make_shared<Parts>(count, parts, fn);
  for (std::size_t i = 1; i < std::min(threads, parts); ++i) Executor::shared().post([shared] { shared->work(); });
  shared->finish();
}

}  // namespace tgd::detail
