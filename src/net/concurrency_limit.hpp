// ConcurrencyLimit: how many requests may be in flight, learned from the endpoint's complaints.
// Additive increase, multiplicative decrease, as TCP does it: a 429 halves the limit, each answer widens it a little, so that
// the rate settles just below what the endpoint grants. Not thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace tgd::net {

class ConcurrencyLimit {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit ConcurrencyLimit(std::size_t most) : most_(static_cast<double>(most)), limit_(most_) {}

  std::size_t value() const { return static_cast<std::size_t>(limit_); }

  void note_answer() { limit_ = std::min(most_, limit_ + 1 / limit_); }

  /// A 429 to a request that was sent at `sent`. Requests sent before the last decrease tell nothing new.
  void note_refusal(TimePoint sent, TimePoint now) {
    if (sent < decreased_) return;
    limit_ = std::max(1.0, limit_ / 2);
    decreased_ = now;
  }

 private:
  double most_;
  double limit_;
  TimePoint decreased_ = TimePoint::min();
};

}  // namespace tgd::net
