#include "cli/interrupt.hpp"

#include <condition_variable>
#include <csignal>
#include <ctime>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include <unistd.h>

#include <tgd/error.hpp>

namespace tgd::cli {

namespace {

sigset_t watched_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Interrupt::Interrupt(std::function<void()> on_first) : on_first_(std::move(on_first)) {
  const sigset_t signals = watched_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  watcher_ = std::thread([this] { watch(); });
}

Interrupt::~Interrupt() {
  ended_.request_stop();
  watcher_.join();
  const sigset_t signals = watched_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void Interrupt::watch() {
  const sigset_t signals = watched_signals();
  const timespec moment{0, 50'000'000};
  while (!ended_.stop_requested()) {
    if (::sigtimedwait(&signals, nullptr, &moment) < 0) continue;
    if (!source_.request_stop()) ::_exit(130);  // the second one
    if (on_first_) on_first_();
  }
}

namespace {

/// Passes on a caller's wish to cancel a call, until everything is asked to stop.
struct Cancellation {
  Cancellation(const std::stop_token& caller, std::stop_token everything)
      : forward(caller, [this, everything = std::move(everything)] {
          if (!everything.stop_requested()) source.request_stop();
        }) {}

  std::stop_source source;
  std::stop_callback<std::function<void()>> forward;
};

}  // namespace

// The callbacks of calls under way share it.
struct Interruptible::Queue : std::enable_shared_from_this<Interruptible::Queue> {
  struct Call {
    lm::Request request;
    Done done;
  };

  Queue(lm::ChatModelPtr inner, std::size_t max_in_flight, std::stop_token everything)
      : model(std::move(inner)), most(max_in_flight), stop(std::move(everything)) {}

  void add(Call call) {
    {
      const std::lock_guard lock(mutex);
      waiting.push_back(std::move(call));
    }
    pump();
  }

  /// Starts what there is room for. One thread at a time: a call that ends at once then makes room here instead of recursing.
  void pump() {
    std::unique_lock lock(mutex);
    if (std::exchange(is_pumping, true)) return;
    while (!waiting.empty() && (in_flight < most || stop.stop_requested())) {
      Call call = std::move(waiting.front());
      waiting.pop_front();
      const bool is_refused = stop.stop_requested();
      if (!is_refused) ++in_flight;
      lock.unlock();
      is_refused ? refuse(call) : send(std::move(call));
      lock.lock();
    }
    is_pumping = false;
  }

  static void refuse(const Call& call) {
    call.done(LMError(LMError::Kind::cancelled, "the call was not made, because the run was interrupted"));
  }

  void send(Call call) {
    const auto cancellation = std::make_shared<Cancellation>(call.request.stop, stop);
    call.request.stop = cancellation->source.get_token();
    model->start(std::move(call.request),
                 [queue = shared_from_this(), cancellation, done = std::move(call.done)](lm::Outcome outcome) {
                   done(std::move(outcome));
                   queue->end_call();
                 });
  }

  void end_call() {
    {
      const std::lock_guard lock(mutex);
      --in_flight;
      if (in_flight == 0) idle.notify_all();
    }
    pump();
  }

  void wait() {
    std::unique_lock lock(mutex);
    idle.wait(lock, [this] { return in_flight == 0; });
  }

  const lm::ChatModelPtr model;
  const std::size_t most;
  const std::stop_token stop;
  std::mutex mutex;
  std::condition_variable idle;
  std::deque<Call> waiting;
  std::size_t in_flight = 0;
  bool is_pumping = false;
};

Interruptible::Interruptible(lm::ChatModelPtr model, std::size_t max_in_flight, const std::stop_token& stop)
    : Decorator(model),
      queue_(std::make_shared<Queue>(std::move(model), max_in_flight, stop)),
      on_stop_(stop, [queue = queue_] { queue->pump(); }) {}

Interruptible::~Interruptible() { queue_->wait(); }

void Interruptible::start(lm::Request request, Done done) { queue_->add({std::move(request), std::move(done)}); }

}  // namespace tgd::cli
