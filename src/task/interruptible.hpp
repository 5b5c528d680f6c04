// A model whose calls a stop lets come to their end, and which begins none afterwards.
// Thread-safety: every member may be called from any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>

#include <tgd/lm/decorator.hpp>

namespace tgd::cli {

/// Hands on at most `max_in_flight` calls at the same time. After a stop those that wait are refused (LMError::Kind::cancelled), those
/// that wait for their next attempt end with what they met, and those on the wire are no longer cut off by whoever has lost interest
/// in them: they are paid for, and a journal or a cache keeps them.
/// `on_fault` is called with each error that is no single request's fault, before whoever asked gets it; empty: nobody wants to know.
class Interruptible final : public lm::CallDecorator {
 public:
  using OnFault = std::function<void(const LMError&)>;

  Interruptible(lm::ChatModelPtr model, std::size_t max_in_flight, const std::stop_token& stop, OnFault on_fault = {});
  /// Waits for the calls under way.
  ~Interruptible() override;

  void start_call(lm::Call call, OnText on_text, Done done) override;

  /// Until no call is under way.
  void wait() const;

 private:
  struct Queue;
  std::shared_ptr<Queue> queue_;
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace tgd::cli
