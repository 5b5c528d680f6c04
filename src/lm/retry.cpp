#include "lm/retry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include <curl/curl.h>
#include <fmt/format.h>

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
  return status == 408 || status == 409 || status == 429 || status == 499 || (status >= 500 && status < 600);
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

namespace {

// Takes "2.5s", "26 seconds" or "1m30s" off the front of `text`.
std::optional<milliseconds> take_duration(std::string_view& text) {
  constexpr std::array words = {
      Unit{"milliseconds", 1}, Unit{"millisecond", 1},  Unit{"msec", 1},          Unit{"ms", 1},
      Unit{"seconds", 1000},   Unit{"second", 1000},    Unit{"secs", 1000},       Unit{"sec", 1000},
      Unit{"s", 1000},         Unit{"minutes", 60'000}, Unit{"minute", 60'000},   Unit{"mins", 60'000},
      Unit{"min", 60'000},     Unit{"m", 60'000},       Unit{"hours", 3'600'000}, Unit{"hour", 3'600'000},
      Unit{"hr", 3'600'000},   Unit{"h", 3'600'000},    Unit{"days", 86'400'000}, Unit{"day", 86'400'000},
      Unit{"d", 86'400'000}};
  std::optional<double> sum;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    std::string_view rest = text;
    const std::optional<double> count = take_number(rest);
    if (!count) break;
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const auto unit = std::find_if(words.begin(), words.end(), [&](const Unit& word) { return rest.starts_with(word.name); });
    if (unit == words.end()) break;
    rest.remove_prefix(unit->name.size());
    if (!rest.empty() && rest.front() >= 'a' && rest.front() <= 'z') break;  // "5 meters", not "5 m"
    sum = sum.value_or(0) + *count * unit->milliseconds;
    text = rest;
  }
  return sum ? std::optional(wait_of(*sum)) : std::nullopt;
}

// What stands before a number that says how long to wait.
bool asks_to_wait(std::string_view before) {
  constexpr std::size_t near = 40;
  constexpr std::array words = {"try again",       "retry", "wait",     "come back", "available in",
                                "available again", "reset", "again in", "after"};
  if (before.size() > near) before.remove_prefix(before.size() - near);
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return before.find(word) != std::string_view::npos; });
}

}  // namespace

std::optional<milliseconds> wait_named_in(std::string_view message) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::optional<milliseconds> longest_named;
  for (std::size_t at = 0; at < message.size();) {
    if (!is_digit(message[at])) {
      ++at;
      continue;
    }
    std::string_view rest = message.substr(at);
    const std::optional<milliseconds> wait = take_duration(rest);
    if (wait && asks_to_wait(message.substr(0, at))) longest_named = std::max(longest_named.value_or(*wait), *wait);
    const std::size_t next = wait ? message.size() - rest.size() : at + 1;
    at = std::max(next, std::min(message.find_first_not_of("0123456789.", at), message.size()));
  }
  return longest_named;
}

std::string in_seconds(milliseconds wait) { return fmt::format("{:g} s", static_cast<double>(wait.count()) / 1000); }

std::optional<std::int64_t> remaining_count(std::string_view text) {
  text = tgd::detail::trim(text);
  const std::optional<double> value = take_number(text);
  if (!value || !text.empty() || *value > 1e15) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::optional<double> number_in(std::string_view text) {
  text = tgd::detail::trim(text);
  const std::optional<double> value = take_number(text);
  return text.empty() ? value : std::nullopt;
}

std::optional<milliseconds> next_delay(const RetryPolicy& policy, const LMError& error, const RetryHistory& history,
                                       double random, bool is_queued) {
  constexpr int turns_for_a_retry = 16;
  if (!error.retryable()) return std::nullopt;
  if (is_queued ? history.queued >= turns_for_a_retry * policy.max_retries : history.retries >= policy.max_retries)
    return std::nullopt;
  // An answer that arrived whole and is still unusable hardly changes: once more is enough.
  if (is_unusable(error) && history.unusable + history.doubtful > 1) return std::nullopt;
  if (error.kind() == LMError::Kind::transport && history.doubtful > 1) return std::nullopt;
  constexpr int longest_queue = 4;  // the rate is narrowed as well: nobody waits for minutes between two turns
  const milliseconds backoff =
      scaled(backoff_limit(policy, is_queued ? std::min(history.queued, longest_queue) : history.retries), random);
  if (!error.retry_after()) return backoff;
  if (*error.retry_after() > policy.longest_wait) return std::nullopt;
  return std::max(backoff, *error.retry_after() + scaled(policy.base, random));
}

}  // namespace tgd::lm::detail
