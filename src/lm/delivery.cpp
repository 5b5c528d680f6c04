#include "lm/delivery.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/callbacks.hpp"
#include "core/origin.hpp"
#include "core/start_thread.hpp"

namespace tgd::lm::detail {

class Delivery::Core {
 public:
  bool is_here() const noexcept { return origin_.is_here(); }
  void post(std::shared_ptr<Core> self, Clock::time_point due, Task task, const std::stop_token& stop);
  void close();

 private:
  using OnStop = std::stop_callback<std::function<void()>>;
  using Key = std::pair<Clock::time_point, std::uint64_t>;
  struct Pending {
    Task task;
    std::stop_token stop;
    // Destroyed only without the lock: its destructor waits for a running callback, which takes the lock.
    std::unique_ptr<OnStop> on_stop;
  };
  using Queue = std::map<Key, Pending>;
  struct Next {
    Queue::node_type pending;  // empty: nothing is to be done now
    Occasion ending = Occasion::due;
  };

  void run();
  Next take_next();
  Queue::iterator find_stopped();
  void notice_stop();

  std::mutex mutex_;
  std::condition_variable changed_;
  Queue queue_;
  std::uint64_t posted_ = 0;
  bool stop_seen_ = false;  // some task's stop was requested since the queue was last searched
  bool closing_ = false;
  const tgd::detail::Origin origin_ = {};
  std::thread thread_;
};

void Delivery::Core::post(std::shared_ptr<Core> self, Clock::time_point due, Task task, const std::stop_token& stop) {
  Pending pending{std::move(task), stop, nullptr};
  if (stop.stop_possible()) pending.on_stop = std::make_unique<OnStop>(stop, [this] { notice_stop(); });
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      if (!thread_.joinable())
        thread_ = tgd::detail::start_thread("a model's replies", [self = std::move(self)] { self->run(); });
      const auto place = queue_.emplace(Key{due, posted_++}, std::move(pending)).first;
      // A callback that ran before the task was queued has been searched for in vain.
      if (stop.stop_requested()) stop_seen_ = true;
      if (stop_seen_ || place == queue_.begin()) changed_.notify_one();  // else the thread need not wake up yet
      return;
    }
  }
  pending.task(Occasion::cancelled);
}

void Delivery::Core::close() {
  if (!origin_.is_here()) return;
  std::thread thread;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    thread = std::move(thread_);
    changed_.notify_one();
  }
  if (!thread.joinable()) return;
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

void Delivery::Core::notice_stop() {
  const std::lock_guard lock(mutex_);
  stop_seen_ = true;
  changed_.notify_one();
}

void Delivery::Core::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (Next next = take_next(); next.pending) {
      lock.unlock();
      tgd::detail::call_back(next.pending.mapped().task, next.ending);
      next.pending = {};
      lock.lock();
    } else if (closing_) {
      return;
    } else if (queue_.empty()) {
      changed_.wait(lock);
    } else {
      const Clock::time_point due = queue_.begin()->first.first;
      changed_.wait_until(lock, due);
    }
  }
}

Delivery::Core::Next Delivery::Core::take_next() {
  if (queue_.empty()) return {};
  if (closing_) return Next{queue_.extract(queue_.begin()), Occasion::cancelled};
  if (stop_seen_) {
    if (const auto stopped = find_stopped(); stopped != queue_.end()) return Next{queue_.extract(stopped), Occasion::cancelled};
    stop_seen_ = false;
  }
  if (queue_.begin()->first.first <= Clock::now()) return Next{queue_.extract(queue_.begin()), Occasion::due};
  return {};
}

Delivery::Core::Queue::iterator Delivery::Core::find_stopped() {
  auto at = queue_.begin();
  while (at != queue_.end() && !at->second.stop.stop_requested()) ++at;
  return at;
}

Delivery::Delivery() : core_(std::make_shared<Core>()) {}

Delivery::~Delivery() {
  close();
  if (!is_here()) tgd::detail::keep_for_ever(core_);
}

void Delivery::post(Clock::time_point due, Task task, const std::stop_token& stop) {
  core_->post(core_, due, std::move(task), stop);
}

bool Delivery::is_here() const noexcept { return core_->is_here(); }

void Delivery::close() { core_->close(); }

}  // namespace tgd::lm::detail
