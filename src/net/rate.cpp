#include "net/rate.hpp"

#include <algorithm>

#include "core/saturating.hpp"

namespace tgd::net {

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

namespace {

using Seconds = std::chrono::duration<double>;

std::chrono::steady_clock::duration span(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(Seconds(seconds));
}

constexpr std::chrono::seconds one_second{1};

void forget_before(std::deque<TimePoint>& times, TimePoint time) {
  constexpr std::size_t most = 4096;
  while (!times.empty() && (times.front() < time || times.size() > most)) times.pop_front();
}

/// How many of them lie in the second that ends at `end`.
std::ptrdiff_t in_second_until(const std::deque<TimePoint>& times, TimePoint end) {
  return std::count_if(times.begin(), times.end(), [end](TimePoint time) { return time > end - one_second && time <= end; });
}

}  // namespace

void LearnedRate::note_sent(TimePoint now) {
  forget_before(sent_, now - 10 * one_second);
  sent_.push_back(now);
  if (is_limited()) next_ = std::max(now, next_) + span(1 / rate_);
}

// The longer nothing was refused, the faster: an endpoint that was busy for a moment is not kept waiting for ever.
void LearnedRate::note_answer(TimePoint now) {
  if (!is_limited()) return;
  const double passed = std::min(1.0, Seconds(now - std::max(widened_, narrowed_)).count());
  if (passed <= 0) return;
  const double calm = Seconds(now - narrowed_).count();
  constexpr double per_second_more = 3;
  constexpr double share_more = 0.15;
  rate_ += passed * (per_second_more + share_more * calm * rate_);
  widened_ = now;
  constexpr double no_matter = 1e5;
  if (rate_ > no_matter) rate_ = unlimited;
}

void LearnedRate::note_refusal(TimePoint sent, TimePoint now) {
  forget_before(refused_, now - 10 * one_second);
  refused_.push_back(sent);
  constexpr std::ptrdiff_t few = 4;  // so few tell nothing about a rate; waiting longer each time is enough then
  const std::ptrdiff_t asked = in_second_until(sent_, sent);
  const std::ptrdiff_t borne = asked - in_second_until(refused_, sent);
  if (asked < few && !is_limited()) return;
  double bearable = 0.9 * static_cast<double>(borne);
  if (borne < 2) {
    if (sent < narrowed_) return;
    bearable = std::min(rate_, 2.0) / 2;
  }
  constexpr double slowest = 0.5;  // waiting longer each time is for whoever is refused
  if (bearable >= rate_) return;
  rate_ = std::max(slowest, bearable);
  narrowed_ = now;
  next_ = now + span(1 / rate_);
}

TimePoint RateLimit::earliest(TimePoint now, std::int64_t tokens) {
  return std::max({now, paused_until_, learned_.earliest(now), requests_.earliest(now, 1), tokens_.earliest(now, tokens),
                   requests_left_.earliest(now, 1), tokens_left_.earliest(now, tokens)});
}

std::uint64_t RateLimit::note_sent(TimePoint now, std::int64_t tokens) {
  requests_left_.spend(1);
  tokens_left_.spend(tokens);
  requests_.add(now, 1);
  learned_.note_sent(now);
  return tokens_.add(now, tokens);
}

void RateLimit::pause(TimePoint until) { paused_until_ = std::max(paused_until_, until); }

}  // namespace tgd::net
