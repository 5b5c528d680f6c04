#include "run/interrupt.hpp"

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "core/start_thread.hpp"
#include "core/worker.hpp"

namespace tgd::cli {

namespace {

// Never destroyed: the thread that takes the signals lives as long as the process.
struct Signals {
  std::mutex mutex;
  std::condition_variable changed;
  int come = 0;
  int interrupts = 0;  // objects that live
};

Signals& signals() {
  static Signals* const all = new Signals;
  return *all;
}

/// Those that are not ignored, as whoever started the program may wish.
sigset_t watched_signals() {
  sigset_t watched;
  ::sigemptyset(&watched);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) ::sigaddset(&watched, number);
  }
  return watched;
}

void take_signals() {
  const sigset_t watched = watched_signals();
  Signals& all = signals();
  while (true) {
    if (::sigwaitinfo(&watched, nullptr) < 0) continue;
    const std::lock_guard lock(all.mutex);
    if (++all.come > 1 || all.interrupts == 0) {
      tgd::detail::kill_worker_processes();
      ::_exit(130);
    }
    all.changed.notify_all();
  }
}

}  // namespace

void hold_signals() {
  const sigset_t watched = watched_signals();
  ::pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

void watch_signals() {
  try {
    std::thread(take_signals).detach();
  } catch (const std::system_error&) {
    // Without a thread the signals do what they do by themselves.
    const sigset_t watched = watched_signals();
    ::pthread_sigmask(SIG_UNBLOCK, &watched, nullptr);
  }
}

// Whoever lived when the first signal came has said so.
Interrupt::Interrupt(std::function<void()> on_first) : on_first_(std::move(on_first)) {
  const std::lock_guard lock(signals().mutex);
  if (signals().come > 0) source_.request_stop();
  waiter_ = tgd::detail::start_thread("signals", [this] { wait(); });
  ++signals().interrupts;
}

Interrupt::~Interrupt() {
  {
    const std::lock_guard lock(signals().mutex);
    has_ended_ = true;
    --signals().interrupts;
    signals().changed.notify_all();
  }
  waiter_.join();
}

bool Interrupt::has_come() {
  const std::lock_guard lock(signals().mutex);
  return signals().come > 0;
}

void Interrupt::wait() {
  {
    std::unique_lock lock(signals().mutex);
    signals().changed.wait(lock, [this] { return has_ended_ || signals().come > 0; });
    if (has_ended_) return;
  }
  if (source_.request_stop() && on_first_) on_first_();
}

}  // namespace tgd::cli
