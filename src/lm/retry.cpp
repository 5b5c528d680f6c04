#include "lm/retry.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include <curl/curl.h>

#include "core/text.hpp"

namespace tgd::lm::detail {

namespace {

// A year: more than anybody waits, and far from any overflow.
constexpr milliseconds longest = std::chrono::hours(24 * 365);

// A non-negative decimal number of `unit`s. Rounded up, because a wait must not be undercut.
std::optional<milliseconds> number(std::string_view text, milliseconds unit) {
  text = tgd::detail::trim(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0)) return std::nullopt;
  const double count = std::min(value * static_cast<double>(unit.count()), static_cast<double>(longest.count()));
  return std::chrono::ceil<milliseconds>(std::chrono::duration<double, std::milli>(count));
}

std::optional<milliseconds> date(std::string_view text, std::chrono::system_clock::time_point now) {
  const std::time_t then = curl_getdate(std::string(text).c_str(), nullptr);
  if (then < 0) return std::nullopt;
  const auto wait = std::chrono::ceil<milliseconds>(std::chrono::system_clock::from_time_t(then) - now);
  return std::clamp(wait, milliseconds(0), longest);
}

milliseconds scaled(milliseconds limit, double factor) {
  return milliseconds(static_cast<milliseconds::rep>(static_cast<double>(limit.count()) * factor));
}

milliseconds backoff_limit(const RetryPolicy& policy, int retries) {
  milliseconds limit = std::min(policy.base, policy.cap);
  for (int k = 0; k < retries && limit < policy.cap; ++k) limit = std::min(limit * 2, policy.cap);
  return limit;
}

bool is_unusable(const LMError& error) {
  return error.kind() == LMError::Kind::malformed || error.kind() == LMError::Kind::empty;
}

}  // namespace

bool is_worth_retrying(int status) {
  return status == 408 || status == 409 || status == 429 || (status >= 500 && status < 600);
}

std::optional<milliseconds> requested_wait(std::string_view retry_after, std::string_view retry_after_ms,
                                           std::chrono::system_clock::time_point now) {
  if (const auto wait = number(retry_after_ms, milliseconds(1))) return wait;
  if (const auto wait = number(retry_after, std::chrono::seconds(1))) return wait;
  return date(retry_after, now);
}

std::optional<milliseconds> next_delay(const RetryPolicy& policy, const LMError& error, const RetryHistory& history,
                                       double random) {
  if (!error.retryable() || history.retries >= policy.max_retries) return std::nullopt;
  // An answer that arrived whole and is still unusable hardly changes: once more is enough.
  if (is_unusable(error) && history.unusable > 1) return std::nullopt;
  if (!error.retry_after()) return scaled(backoff_limit(policy, history.retries), random);
  if (*error.retry_after() > policy.longest_wait) return std::nullopt;
  return *error.retry_after() + scaled(policy.base, random);
}

}  // namespace tgd::lm::detail
