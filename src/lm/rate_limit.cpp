#include "lm/rate_limit.hpp"

#include <algorithm>

#include "core/saturating.hpp"

namespace tgd::lm::detail {

namespace {

// More than any request has; so that no sum of them overflows.
std::int64_t bounded(std::int64_t amount) { return std::clamp<std::int64_t>(amount, 0, 1'000'000'000'000); }

}  // namespace

TimePoint MinuteWindow::earliest(TimePoint now, std::int64_t amount) {
  if (limit_ == 0) return now;
  forget(now);
  amount = bounded(amount);
  std::int64_t excess = tgd::detail::saturated_difference(sum_ + amount, limit_);
  TimePoint time = now;
  for (auto entry = entries_.begin(); excess > 0 && entry != entries_.end(); ++entry) {
    excess -= entry->amount;
    time = entry->leaves;
  }
  return time;
}

std::uint64_t MinuteWindow::add(TimePoint now, std::int64_t amount) {
  if (limit_ == 0) return 0;
  amount = bounded(amount);
  entries_.push_back({now + std::chrono::minutes(1), amount});
  sum_ += amount;
  return first_ + entries_.size() - 1;
}

void MinuteWindow::correct(std::uint64_t number, std::int64_t amount) {
  if (number < first_ || number - first_ >= entries_.size()) return;
  Entry& entry = entries_[number - first_];
  amount = bounded(amount);
  sum_ += amount - entry.amount;
  entry.amount = amount;
}

void MinuteWindow::forget(TimePoint now) {
  while (!entries_.empty() && entries_.front().leaves <= now) {
    sum_ -= entries_.front().amount;
    entries_.pop_front();
    ++first_;
  }
}

TimePoint RateLimit::earliest(TimePoint now, std::int64_t tokens) {
  return std::max({now, paused_until_, requests_.earliest(now, 1), tokens_.earliest(now, tokens),
                   requests_left_.earliest(now, 1), tokens_left_.earliest(now, tokens)});
}

std::uint64_t RateLimit::note_sent(TimePoint now, std::int64_t tokens) {
  requests_left_.spend(1);
  tokens_left_.spend(tokens);
  requests_.add(now, 1);
  return tokens_.add(now, tokens);
}

void RateLimit::pause(TimePoint until) { paused_until_ = std::max(paused_until_, until); }

}  // namespace tgd::lm::detail
