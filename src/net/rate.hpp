// RateLimit: when the next request may be sent, under what the caller allows per minute and what the endpoint says is left.
// The caller's limits hold for any 60 seconds. Tokens are estimated when a request is sent and corrected when it is answered.
// The clock is the caller's. Not thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "core/saturating.hpp"

namespace tgd::net {

using TimePoint = std::chrono::steady_clock::time_point;

/// At most `limit` in any minute, 0 for no limit. An amount that is over the limit by itself passes alone.
class MinuteWindow {
 public:
  explicit MinuteWindow(std::int64_t limit) : limit_(limit) {}

  /// When `amount` fits in; not after `now` if it does so already.
  TimePoint earliest(TimePoint now, std::int64_t amount);
  /// Returns the entry's number, for correct().
  std::uint64_t add(TimePoint now, std::int64_t amount);
  /// Does nothing for an entry that is over a minute old.
  void correct(std::uint64_t number, std::int64_t amount);

 private:
  struct Entry {
    TimePoint leaves;
    std::int64_t amount;
  };

  void forget(TimePoint now);

  std::int64_t limit_;
  std::int64_t sum_ = 0;
  std::deque<Entry> entries_;
  std::uint64_t first_ = 0;  // number of the first entry
};

/// What an endpoint said is left until its own limit starts anew. Unlimited before it said anything, and after that time.
class Allowance {
 public:
  TimePoint earliest(TimePoint now, std::int64_t amount) const { return left_ >= amount ? now : until_; }
  void note(std::int64_t left, TimePoint until) {
    left_ = left;
    until_ = until;
  }
  void spend(std::int64_t amount) { left_ = tgd::detail::saturated_difference(left_, amount); }

 private:
  std::int64_t left_ = 0;
  TimePoint until_ = TimePoint::min();
};

/// How many requests a second an endpoint bears, learned from what it refuses for overload: no limit until then; afterwards what it took
/// of the requests of a second, widened by answers, slowly at first.
class LearnedRate {
 public:
  TimePoint earliest(TimePoint now) const { return is_limited() ? std::max(now, next_) : now; }
  void note_sent(TimePoint now);
  void note_answer(TimePoint now);
  /// `sent`: when the refused request was.
  void note_refusal(TimePoint sent, TimePoint now);

  bool is_limited() const { return rate_ < unlimited; }
  double per_second() const { return rate_; }

 private:
  static constexpr double unlimited = 1e9;

  double rate_ = unlimited;
  TimePoint next_ = TimePoint::min();      // when the next one may be sent
  TimePoint narrowed_ = TimePoint::min();  // the last time
  TimePoint widened_ = TimePoint::min();
  std::deque<TimePoint> sent_;     // of the last seconds
  std::deque<TimePoint> refused_;  // when those were sent that were refused since
};

class RateLimit {
 public:
  using TimePoint = net::TimePoint;

  struct PerMinute {
    std::int64_t requests = 0;  ///< 0: no limit
    std::int64_t tokens = 0;    ///< 0: no limit
  };

  explicit RateLimit(PerMinute limits) : requests_(limits.requests), tokens_(limits.tokens) {}

  /// When a request of that many tokens may be sent; not after `now` if it may be sent at once.
  TimePoint earliest(TimePoint now, std::int64_t tokens);
  /// Returns the request's number, for correct_tokens().
  std::uint64_t note_sent(TimePoint now, std::int64_t tokens);
  void correct_tokens(std::uint64_t number, std::int64_t tokens) { tokens_.correct(number, tokens); }

  void note_requests_left(std::int64_t left, TimePoint until) { requests_left_.note(left, until); }
  void note_tokens_left(std::int64_t left, TimePoint until) { tokens_left_.note(left, until); }
  /// Nothing is sent before `until`.
  void pause(TimePoint until);

  void note_answer(TimePoint now) { learned_.note_answer(now); }
  /// For overload, of a request that was sent at `sent`.
  void note_refusal(TimePoint sent, TimePoint now) { learned_.note_refusal(sent, now); }

 private:
  MinuteWindow requests_;
  MinuteWindow tokens_;
  Allowance requests_left_;
  Allowance tokens_left_;
  LearnedRate learned_;
  TimePoint paused_until_ = TimePoint::min();
};

}  // namespace tgd::net
