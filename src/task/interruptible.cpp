#include "task/interruptible.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>

#include <tgd/error.hpp>

#include "core/problem.hpp"

namespace tgd::cli {

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
  struct Waiting {
    lm::Call call;
    OnText on_text;
    Done done;
  };

  Queue(lm::ChatModelPtr inner, std::size_t max_in_flight, std::stop_token everything, OnFault faults)
      : model(std::move(inner)), most(max_in_flight), stop(std::move(everything)), on_fault(std::move(faults)) {}

  void add(Waiting next) {
    {
      const std::lock_guard lock(mutex);
      waiting.push_back(std::move(next));
    }
    pump();
  }

  /// Starts what there is room for. One thread at a time: a call that ends at once then makes room here instead of recursing.
  void pump() {
    std::unique_lock lock(mutex);
    if (std::exchange(is_pumping, true)) return;
    while (!waiting.empty() && (in_flight < most || stop.stop_requested())) {
      Waiting next = std::move(waiting.front());
      waiting.pop_front();
      const bool is_refused = stop.stop_requested();
      if (!is_refused) ++in_flight;
      lock.unlock();
      is_refused ? refuse(next) : send(std::move(next));
      lock.lock();
    }
    is_pumping = false;
  }

  static void refuse(const Waiting& next) {
    const LMError error(LMError::Kind::cancelled, "the call was not made, because the run was interrupted");
    next.done(lm::Outcome::refused(std::make_exception_ptr(error)));
  }

  void send(Waiting next) {
    const auto cancellation = std::make_shared<Cancellation>(next.call.stop(), stop);
    model->start_call(next.call.with_stop(cancellation->source.get_token()).with_stop_sending(stop), std::move(next.on_text),
                      [queue = shared_from_this(), cancellation, done = std::move(next.done)](lm::Outcome outcome) {
                        queue->tell_fault(outcome);
                        done(std::move(outcome));
                        queue->end_call();
                      });
  }

  void tell_fault(const lm::Outcome& outcome) const {
    if (!on_fault || outcome.ok() || tgd::detail::own_fault(outcome.error())) return;
    try {
      std::rethrow_exception(outcome.error());
    } catch (const LMError& error) {
      if (error.kind() != LMError::Kind::cancelled) on_fault(error);
    } catch (...) {  // NOLINT(bugprone-empty-catch): a budget's, which ends a run in good order
    }
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
  const OnFault on_fault;
  std::mutex mutex;
  std::condition_variable idle;
  std::deque<Waiting> waiting;
  std::size_t in_flight = 0;
  bool is_pumping = false;
};

Interruptible::Interruptible(lm::ChatModelPtr model, std::size_t max_in_flight, const std::stop_token& stop, OnFault on_fault)
    : CallDecorator(model),
      queue_(std::make_shared<Queue>(std::move(model), max_in_flight, stop, std::move(on_fault))),
      on_stop_(stop, [queue = queue_] { queue->pump(); }) {}

Interruptible::~Interruptible() { queue_->wait(); }

void Interruptible::wait() const { queue_->wait(); }

void Interruptible::start_call(lm::Call call, OnText on_text, Done done) {
  queue_->add({std::move(call), std::move(on_text), std::move(done)});
}

}  // namespace tgd::cli
