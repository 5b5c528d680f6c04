// Ctrl-C: the first one lets the calls in flight come to their end and ends the run so that it can be gone on with; the second one
// ends the program at once. So do SIGTERM and, unless it is ignored as by nohup, SIGHUP. Where there is nothing to bring to an end,
// the first one ends the program at once, too. The exit status is 130 either way.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include <tgd/lm/decorator.hpp>

namespace tgd::cli {

/// Holds the signals back until watch_signals(), and lets a write to a pipe that nobody reads fail instead of ending the program. The
/// first thing that a program does: threads inherit it.
void hold_signals();
/// Takes the signals from now on, on a thread of its own that ends with the process.
void watch_signals();

/// While it lives, the first signal is a wish to stop. Several may live at the same time, and all are told.
class Interrupt {
 public:
  /// `on_first` runs on a thread of its own. What it uses has to be there before this object and longer than it.
  explicit Interrupt(std::function<void()> on_first = {});
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  bool requested() const { return source_.stop_requested(); }
  /// Whether a signal has come since the program began.
  static bool has_come();

 private:
  void wait();

  std::function<void()> on_first_;
  std::stop_source source_;
  bool has_ended_ = false;
  std::thread waiter_;
};

/// Hands on at most `max_in_flight` calls at the same time. After a stop those that wait are refused (LMError::Kind::cancelled), and
/// those under way are no longer cut off by whoever has lost interest in them: they are paid for, and a journal or a cache keeps them.
class Interruptible final : public lm::CallDecorator {
 public:
  Interruptible(lm::ChatModelPtr model, std::size_t max_in_flight, const std::stop_token& stop);
  /// Waits for the calls under way.
  ~Interruptible() override;

  void start_call(lm::Call call, OnText on_text, Done done) override;

 private:
  struct Queue;
  std::shared_ptr<Queue> queue_;
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace tgd::cli
