// Delivery: runs closures on one thread of its own, each at its due time. The latencies of Stub and Simulated are made of it.
// Thread-safety: every member may be called from any thread, also from within a closure.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>

namespace tgd::lm::detail {

class Delivery {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Occasion { due, cancelled };
  /// Called exactly once: when due, or early and with `cancelled` when `stop` is requested or the Delivery closes.
  /// What it throws is lost.
  using Task = std::function<void(Occasion)>;

  Delivery();
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;
  ~Delivery();

  /// Whether this is the process that made it: in the child of a fork() nothing is delivered.
  bool is_here() const noexcept;

  /// Tasks run in the order of (due time, order of posting). After close() the task is cancelled at once.
  void post(Clock::time_point due, Task task, const std::stop_token& stop = {});

  /// Cancels what is pending, in order, and ends the thread. Returns when all of it ran, unless a task itself calls this:
  /// then the rest is cancelled as soon as that task returns.
  void close();

 private:
  class Core;
  std::shared_ptr<Core> core_;  // shared with the thread, which may outlive this object when a task destroys it
};

}  // namespace tgd::lm::detail
