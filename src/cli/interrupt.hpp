// Ctrl-C: the first one lets the calls in flight come to their end and ends the run so that it can be gone on with; the second one
// ends the program at once.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include <tgd/lm/decorator.hpp>

namespace tgd::cli {

/// Watches for SIGINT and SIGTERM while it lives. One at a time, made before any other thread is: threads inherit that they are
/// not to take the signals themselves.
class Interrupt {
 public:
  /// `on_first` runs on a thread of its own.
  explicit Interrupt(std::function<void()> on_first = {});
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  bool requested() const { return source_.stop_requested(); }

 private:
  void watch();

  std::function<void()> on_first_;
  std::stop_source source_;
  std::stop_source ended_;
  std::thread watcher_;
};

/// Hands on at most `max_in_flight` calls at the same time. After a stop those that wait are refused (LMError::Kind::cancelled), and
/// those under way are no longer cut off by whoever has lost interest in them: they are paid for, and a journal or a cache keeps them.
class Interruptible final : public lm::Decorator {
 public:
  Interruptible(lm::ChatModelPtr model, std::size_t max_in_flight, const std::stop_token& stop);
  /// Waits for the calls under way.
  ~Interruptible() override;

  void start(lm::Request request, Done done) override;

 private:
  struct Queue;
  std::shared_ptr<Queue> queue_;
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace tgd::cli
