#include "net/retry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include <curl/curl.h>
#include <fmt/format.h>

#include "core/text.hpp"

namespace tgd::net {

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
  const LMError::Kind kind = error.kind();
  // An outage that comes inside a 2xx passes like one that comes as a status.
  if (kind == LMError::Kind::malformed) return !is_worth_retrying(error.status());
  return kind == LMError::Kind::empty || kind == LMError::Kind::unreadable;
}

}  // namespace

bool is_worth_retrying(int status) {
  constexpr std::array passing = {408, 409, 424, 425, 429, 499};
  constexpr std::array never = {501, 505, 511};  // what a server cannot do, and a network that wants a login
  const auto is_one_of = [status](const auto& list) { return std::find(list.begin(), list.end(), status) != list.end(); };
  return is_one_of(passing) || (status >= 500 && status < 600 && !is_one_of(never));
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

std::optional<double> number_in(std::string_view text) {
  text = tgd::detail::trim(text);
  const std::optional<double> value = take_number(text);
  return text.empty() ? value : std::nullopt;
}

// ---- Headers of limits -----------------------------------------------------------------------------------------------

namespace {

using std::chrono::system_clock;

std::optional<std::int64_t> remaining_count(std::string_view text) {
  const std::optional<double> value = number_in(text);
  if (!value || *value > 1e15) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

// Takes a number of so many digits and what follows it off the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t digits, std::string_view behind) {
  int value = 0;
  const std::string_view number = text.substr(0, digits);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || number.size() != digits || end != number.data() + digits || value < 0) return std::nullopt;
  text.remove_prefix(digits);
  if (behind.empty()) return value;
  if (text.empty() || behind.find(text.front()) == behind.npos) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

// "Z", "+02:00"; nothing for what is none.
std::optional<std::chrono::minutes> time_zone(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const bool is_west = text.front() == '-';
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2, ":");
  const auto minutes = take_digits(text, 2, "");
  if (!hours || !minutes || !text.empty()) return std::nullopt;
  const std::chrono::minutes offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return is_west ? -offset : offset;
}

// "2026-01-27T12:00:30.5Z", as RFC 3339 has it.
std::optional<system_clock::time_point> rfc_3339(std::string_view text) {
  const auto year = take_digits(text, 4, "-");
  const auto month = take_digits(text, 2, "-");
  const auto day = take_digits(text, 2, "Tt ");
  const auto hour = take_digits(text, 2, ":");
  const auto minute = take_digits(text, 2, ":");
  const auto second = take_digits(text, 2, "");
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  double fraction = 0;
  if (text.starts_with('.')) fraction = take_number(text).value_or(0);
  const auto zone = time_zone(text);
  if (!date.ok() || !zone) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) - *zone +
         std::chrono::seconds(*second) + wait_of(fraction * 1000);
}

milliseconds until(system_clock::time_point time, system_clock::time_point now) {
  return std::clamp(std::chrono::ceil<milliseconds>(time - now), milliseconds(0), longest);
}

std::optional<milliseconds> reset_wait(std::string_view text, system_clock::time_point now) {
  text = tgd::detail::trim(text);
  if (const auto time = rfc_3339(text)) return until(*time, now);
  const std::optional<double> number = number_in(text);
  if (!number || *number < 1e9) return reset_time(text);
  // No span is that long: it is a moment, in seconds since 1970 or in milliseconds.
  const double seconds = *number < 1e11 ? *number : *number / 1000;
  if (seconds > 1e11) return std::nullopt;
  return until(
      system_clock::time_point(std::chrono::duration_cast<system_clock::duration>(std::chrono::duration<double>(seconds))),
      now);
}

void tighten(std::optional<LimitLeft>& tightest, std::optional<std::int64_t> left, std::optional<milliseconds> resets) {
  if (!left || !resets) return;
  const LimitLeft limit{*left, *resets};
  const bool is_tighter =
      !tightest || limit.left < tightest->left || (limit.left == tightest->left && limit.resets > tightest->resets);
  if (is_tighter) tightest = limit;
}

// One item of a RateLimit or RateLimit-Policy header: "default";r=50;t=30
struct LimitItem {
  std::string_view name = {};
  std::vector<std::pair<std::string_view, std::string_view>> values = {};

  std::string_view value(std::string_view of) const {
    const auto found = std::find_if(values.begin(), values.end(), [of](const auto& value) { return value.first == of; });
    return found == values.end() ? std::string_view() : found->second;
  }
};

std::string_view unquoted(std::string_view text) {
  text = tgd::detail::trim(text);
  const bool is_quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

// Parts between `separator`s outside of quotes.
std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  bool is_quoted = false;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && text[at] == '"') is_quoted = !is_quoted;
    if (at < text.size() && (is_quoted || text[at] != separator)) continue;
    parts.push_back(tgd::detail::trim(text.substr(begin, at - begin)));
    begin = at + 1;
  }
  return parts;
}

// The drafts before the eighth have one item, whose values stand between commas: limit=100, remaining=50, reset=5.
std::vector<LimitItem> limit_items(std::string_view header) {
  std::vector<LimitItem> items;
  for (const std::string_view part : parts_of(header, ',')) {
    const std::vector<std::string_view> pieces = parts_of(part, ';');
    const bool goes_on = !items.empty() && pieces.front().find('=') != std::string_view::npos;
    if (!goes_on) items.push_back({.name = unquoted(pieces.front())});
    for (const std::string_view piece : pieces) {
      const std::size_t equals = piece.find('=');
      if (equals == std::string_view::npos) continue;
      items.back().values.emplace_back(tgd::detail::trim(piece.substr(0, equals)), unquoted(piece.substr(equals + 1)));
    }
  }
  return items;
}

std::string_view first_given(std::string_view a, std::string_view b) { return a.empty() ? b : a; }

void read_draft(const std::string& header, const std::string& policy, LimitsLeft& limits) {
  const std::vector<LimitItem> policies = limit_items(policy);
  for (const LimitItem& item : limit_items(header)) {
    const auto found =
        std::find_if(policies.begin(), policies.end(), [&](const LimitItem& known) { return known.name == item.name; });
    const LimitItem rule = found == policies.end() ? LimitItem() : *found;
    const std::string_view unit = first_given(rule.value("qu"), "requests");
    const std::string_view left = first_given(item.value("r"), item.value("remaining"));
    const std::string_view resets = first_given(first_given(item.value("t"), item.value("reset")), rule.value("w"));
    if (unit == "requests") tighten(limits.requests, remaining_count(left), reset_time(resets));
    if (unit == "tokens") tighten(limits.tokens, remaining_count(left), reset_time(resets));
  }
}

}  // namespace

LimitsLeft limits_left(const std::function<std::string(std::string_view)>& header, system_clock::time_point now) {
  LimitsLeft limits;
  const auto read = [&](std::string_view remaining, std::string_view resets, std::optional<LimitLeft>& limit) {
    tighten(limit, remaining_count(header(remaining)), reset_wait(header(resets), now));
  };
  read("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", limits.requests);
  read("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset", limits.requests);
  read("x-ratelimit-remaining", "x-ratelimit-reset", limits.requests);
  read("ratelimit-remaining", "ratelimit-reset", limits.requests);
  read("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", limits.tokens);
  read("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", limits.tokens);
  if (!limits.tokens) {
    read("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset", limits.tokens);
    read("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset", limits.tokens);
  }
  read_draft(header("ratelimit"), header("ratelimit-policy"), limits);
  return limits;
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

}  // namespace tgd::net
