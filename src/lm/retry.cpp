#include "lm/retry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include <curl/curl.h>

#include "core/text.hpp"

namespace tgd::lm::detail {

namespace {

// A year: more than anybody waits, and far from any overflow.
constexpr milliseconds longest = std::chrono::hours(24 * 365);

// Takes a non-negative decimal number off the front of `text`.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !(value >= 0)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// Rounded up, because a wait must not be undercut.
milliseconds wait_of(double count) {
  count = std::min(count, static_cast<double>(longest.count()));
  return std::chrono::ceil<milliseconds>(std::chrono::duration<double, std::milli>(count));
}

// A number of `unit`s and nothing else.
std::optional<milliseconds> number(std::string_view text, milliseconds unit) {
  text = tgd::detail::trim(text);
  const std::optional<double> value = take_number(text);
  if (!value || !text.empty()) return std::nullopt;
  return wait_of(*value * static_cast<double>(unit.count()));
}

struct Unit {
  std::string_view name;
  double milliseconds;
};

// Takes a unit of time off the front of `text`; gives its milliseconds, or 0 when there is none.
double take_unit(std::string_view& text) {
  constexpr std::array units = {Unit{"ms", 1},   Unit{"us", 1e-3},  Unit{"µs", 1e-3},     Unit{"ns", 1e-6},
                                Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
  const auto found = std::find_if(units.begin(), units.end(), [&](const Unit& unit) { return text.starts_with(unit.name); });
  if (found == units.end()) return 0;
  text.remove_prefix(found->name.size());
  return found->milliseconds;
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

std::optional<milliseconds> reset_time(std::string_view text) {
  if (const auto wait = number(text, std::chrono::seconds(1))) return wait;
  text = tgd::detail::trim(text);
  if (text.empty()) return std::nullopt;
  double sum = 0;
  while (!text.empty()) {
    const std::optional<double> count = take_number(text);
    const double unit = count ? take_unit(text) : 0;
    if (unit == 0) return std::nullopt;
    sum += *count * unit;
  }
  return wait_of(sum);
}

std::optional<std::int64_t> remaining_count(std::string_view text) {
  text = tgd::detail::trim(text);
  const std::optional<double> value = take_number(text);
  if (!value || !text.empty() || *value > 1e15) return std::nullopt;
  return static_cast<std::int64_t>(*value);
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
