// Calls in flight, for a coordinator that starts many and takes the outcomes one by one, as they come.
// The outcomes' place outlives the object if need be: after an error nobody has to wait for calls that were cancelled.
// Thread-safety: one coordinating thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>

#include <tgd/lm/chat_model.hpp>

#include "core/executor.hpp"
#include "lm/exactly_once.hpp"

namespace tgd::lm::detail {

template <class Key>
class CallsInFlight {
 public:
  /// `outer` cancels the calls as well.
  explicit CallsInFlight(std::stop_token outer = {}) : forward_(std::move(outer), [this] { stop_.request_stop(); }) {}
  /// Cancels what is still in flight, without waiting for it.
  ~CallsInFlight() { stop_.request_stop(); }
  CallsInFlight(const CallsInFlight&) = delete;
  CallsInFlight& operator=(const CallsInFlight&) = delete;

  void start(ChatModel& model, Request request, Key key) {
    request.stop = stop_.get_token();
    ++in_flight_;
    model.start(std::move(request), exactly_once([mailbox = mailbox_, key = std::move(key)](Outcome outcome) {
                  const std::lock_guard lock(mailbox->mutex);
                  mailbox->letters.emplace_back(key, std::move(outcome));
                  mailbox->arrived.notify_one();
                }));
  }

  bool any() const noexcept { return in_flight_ > 0; }

  /// Waits for the next outcome. There has to be a call in flight.
  std::pair<Key, Outcome> next() {
    const tgd::detail::Executor::Blocking blocking(mailbox_->mutex, mailbox_->arrived);
    std::unique_lock lock(mailbox_->mutex);
    mailbox_->arrived.wait(lock, [&] { return !mailbox_->letters.empty() || blocking.interrupted(); });
    if (mailbox_->letters.empty()) blocking.check();
    std::pair<Key, Outcome> letter = std::move(mailbox_->letters.front());
    mailbox_->letters.pop_front();
    --in_flight_;
    return letter;
  }

 private:
  struct Mailbox {
    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<std::pair<Key, Outcome>> letters;
  };

  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::size_t in_flight_ = 0;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> forward_;
};

}  // namespace tgd::lm::detail
