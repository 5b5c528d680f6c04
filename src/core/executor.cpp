#include "core/executor.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <system_error>
#include <utility>

#include <tgd/error.hpp>

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
    for (const Blocking* waiting : waiting_) {
      if (waiting->wake_ == nullptr) continue;
      const std::lock_guard not_between_check_and_wait(*waiting->mutex_);
      waiting->wake_->notify_all();
    }
  }
  wake_.notify_all();
  dropped.clear();  // threads may wait for what these owe
  for (std::thread& thread : threads) thread.join();
}

void Executor::post(std::function<void()> task) {
  std::function<void()> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    dropped = std::move(task);
    return;
  }
  tasks_.push_back(std::move(task));
  if (start_thread_if_needed()) {
    wake_.notify_one();
  } else {
    dropped = std::move(tasks_.back());
    tasks_.pop_back();
  }
}

bool Executor::start_thread_if_needed() {
  if (stopping_ || tasks_.size() <= idle_ || threads_.size() >= width_ + blocked_) return true;
  try {
    threads_.emplace_back([this] { work(); });
    return true;
  } catch (const std::system_error&) {  // the system has no more threads: those that there are have to do
    return threads_.size() > blocked_;
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

Executor::Blocking::Blocking(std::mutex* mutex, std::condition_variable* wake)
    : executor_(current_ != nullptr && current_->origin_.is_here() ? current_ : nullptr), mutex_(mutex), wake_(wake) {
  if (executor_ == nullptr) return;
  const std::lock_guard lock(executor_->mutex_);
  ++executor_->blocked_;
  if (!executor_->start_thread_if_needed()) {
    --executor_->blocked_;
    throw StateError("waiting here would never end: all threads wait for tasks, and no further thread can be started");
  }
  executor_->waiting_.push_back(this);
}

Executor::Blocking::~Blocking() {
  if (executor_ == nullptr || !executor_->origin_.is_here()) return;
  const std::lock_guard lock(executor_->mutex_);
  --executor_->blocked_;
  std::erase(executor_->waiting_, this);
}

void Executor::Blocking::check() const {
  if (interrupted()) throw StateError("the program ended before what is waited for had arrived");
}

}  // namespace tgd::detail
