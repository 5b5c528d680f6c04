#include "core/executor.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

namespace tgd::detail {

thread_local Executor* Executor::current_ = nullptr;

Executor& Executor::shared() {
  const auto width = [] { return std::max<std::size_t>(4, std::thread::hardware_concurrency()); };
  // In the child of a fork() it is left alone: to destroy what its threads were waiting on would wait for them.
  struct Owner {
    explicit Owner(std::size_t threads) : executor(std::make_unique<Executor>(threads)) {}
    ~Owner() {
      if (!executor->origin_.is_here()) keep_for_ever(std::shared_ptr<Executor>(std::move(executor)));
    }
    std::unique_ptr<Executor> executor;
  };
  static Owner owner(width());
  if (owner.executor->origin_.is_here()) return *owner.executor;
  // The child of a fork() has none of its parent's threads and needs an executor of its own. It ends with the process.
  static std::atomic<Executor*> of_child = nullptr;
  Executor* known = of_child;
  if (known != nullptr && known->origin_.is_here()) return *known;
  auto made = std::make_unique<Executor>(width());
  return of_child.compare_exchange_strong(known, made.get()) ? *made.release() : *known;
}

Executor::Executor(std::size_t width) : width_(width) {}

Executor::~Executor() {
  std::vector<std::thread> threads;
  std::deque<std::function<void()>> dropped;  // destroyed without the lock: what they own may post
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(tasks_);
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void Executor::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  tasks_.push_back(std::move(task));
  start_thread_if_needed();
  wake_.notify_one();
}

void Executor::start_thread_if_needed() {
  if (!stopping_ && tasks_.size() > idle_ && threads_.size() < width_ + blocked_) {
    threads_.emplace_back([this] { work(); });
  }
}

void Executor::work() {
  current_ = this;
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    --idle_;
    if (stopping_) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

Executor::Blocking::Blocking() {
  if (current_ == nullptr || !current_->origin_.is_here()) return;
  const std::lock_guard lock(current_->mutex_);
  ++current_->blocked_;
  current_->start_thread_if_needed();
}

Executor::Blocking::~Blocking() {
  if (current_ == nullptr || !current_->origin_.is_here()) return;
  const std::lock_guard lock(current_->mutex_);
  --current_->blocked_;
}

}  // namespace tgd::detail
