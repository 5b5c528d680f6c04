// When and after what delay a failed call is tried again: pure functions, the clock and the random number are given.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <tgd/error.hpp>

namespace tgd::net {

using std::chrono::milliseconds;

struct RetryPolicy {
  int max_retries = 4;
  milliseconds base{500};
  milliseconds cap{30'000};
  milliseconds longest_wait{120'000};  ///< an endpoint that asks for more ends the call
};

/// How a call went until now.
struct RetryHistory {
  int retries = 0;
  int doubtful = 0;  ///< attempts that broke in a way that hardly changes
  int queued = 0;    ///< refusals for overload while the endpoint answered others
  int unusable = 0;  ///< answers that arrived whole but were no completion
};

/// Whether a status other than 2xx may go away by itself: 408, 409, 424, 425, 429, 499, most of 5xx.
bool is_worth_retrying(int status);

/// What the headers ask for: `retry_after_ms` in milliseconds, else `retry_after` in seconds or as an HTTP date. Empty texts
/// stand for absent headers; nothing when none of them can be read.
std::optional<milliseconds> requested_wait(std::string_view retry_after, std::string_view retry_after_ms,
                                           std::chrono::system_clock::time_point now);

/// How long until a limit starts anew, as x-ratelimit-reset-* headers say it: "1s", "6m0s", "20ms", "1h2m3.5s", or a plain number
/// of seconds. Rounded up; nothing for what cannot be read.
std::optional<milliseconds> reset_time(std::string_view text);

/// What is left of a limit, and how long until it starts anew.
struct LimitLeft {
  std::int64_t left = 0;
  milliseconds resets{0};
  friend bool operator==(const LimitLeft&, const LimitLeft&) = default;
};
struct LimitsLeft {
  std::optional<LimitLeft> requests = {};
  std::optional<LimitLeft> tokens = {};
};

/// What the headers of an answer say of the endpoint's limits: OpenAI's x-ratelimit-*, Anthropic's anthropic-ratelimit-* and
/// RateLimit-Remaining, RateLimit and RateLimit-Policy of the IETF's drafts
/// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/). Times are spans, RFC 3339's or since 1970; of several
/// limits the tightest counts, and one that cannot be read not at all. `header`: its value by its name in lower case, empty where
/// there is none.
LimitsLeft limits_left(const std::function<std::string(std::string_view)>& header, std::chrono::system_clock::time_point now);

/// The longest wait that a message asks for in words: "try again in 2.5s", "retry after 26 seconds", "wait 1m30s". `message` is in
/// lower case; nothing when it asks for none.
std::optional<milliseconds> wait_named_in(std::string_view message);

/// "3600 s", "2.5 s"
std::string in_seconds(milliseconds wait);

/// The delay before the next attempt, or nothing when the call has failed for good. `random` is from [0, 1).
/// Backoff is exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/);
/// a wait that the endpoint asked for is never undercut, and spread by up to `base` so that not all come back at once; one that is
/// shorter than backoff itself ("Retry-After: 0") does not shorten it.
/// `is_queued`: refused for overload while the endpoint answers others, which counts apart and much longer.
std::optional<milliseconds> next_delay(const RetryPolicy& policy, const LMError& error, const RetryHistory& history,
                                       double random, bool is_queued = false);

/// A number that is all of a text.
std::optional<double> number_in(std::string_view text);

}  // namespace tgd::net
