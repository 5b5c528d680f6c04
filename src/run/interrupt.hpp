// Ctrl-C: the first one lets the calls in flight come to their end and ends the run so that it can be gone on with; the second one
// ends the program at once. So do SIGTERM and, unless it is ignored as by nohup, SIGHUP. Where there is nothing to bring to an end,
// the first one ends the program at once, too. The exit status is 130 either way.
#pragma once

#include <functional>
#include <stop_token>
#include <thread>

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

/// What a run begins comes to an end: for an interrupt, or for a fault that it cannot go on from. Thread-safety: every member may be
/// called from any thread.
class EndOfRun {
 public:
  explicit EndOfRun(const Interrupt& interrupt) : on_interrupt_(interrupt.token(), [this] { source_.request_stop(); }) {}

  std::stop_token token() const { return source_.get_token(); }
  bool requested() const { return source_.stop_requested(); }
  void request() { source_.request_stop(); }

 private:
  std::stop_source source_;
  std::stop_callback<std::function<void()>> on_interrupt_;
};

}  // namespace tgd::cli
