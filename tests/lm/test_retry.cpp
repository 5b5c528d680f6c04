// Retry decisions and the concurrency limit, without a clock. The cases are in retries.json.
#include "net/retry.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "lm/error_kinds.hpp"
#include "net/concurrency_limit.hpp"
#include "support/table.hpp"

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::milliseconds;
using tgd::LMError;
using tgd::net::ConcurrencyLimit;
using tgd::net::is_worth_retrying;
using tgd::net::LimitLeft;
using tgd::net::limits_left;
using tgd::net::next_delay;
using tgd::net::requested_wait;
using tgd::net::reset_time;
using tgd::net::RetryHistory;
using tgd::net::RetryPolicy;
using tgd::test::kind_named;
using Kind = LMError::Kind;

namespace {

// 2015-10-21T07:28:00Z, the "now" of the table.
const auto now = std::chrono::system_clock::from_time_t(1'445'412'480);

std::optional<milliseconds> optional_ms(const json& value) {
  if (value.is_null()) return std::nullopt;
  return milliseconds(value.get<milliseconds::rep>());
}

std::optional<LimitLeft> limit_of(const json& row, const char* name) {
  if (!row.contains(name)) return std::nullopt;
  return LimitLeft{row[name][0].get<std::int64_t>(), milliseconds(row[name][1].get<milliseconds::rep>())};
}

RetryPolicy policy_of(const json& row) {
  return {.max_retries = row.at("max_retries"),
          .base = milliseconds(row.at("base")),
          .cap = milliseconds(row.at("cap")),
          .longest_wait = milliseconds(row.at("longest_wait"))};
}

}  // namespace

TEST_CASE("Statuses are tried again or final", "[lm][retry]") {
  const json statuses = tgd::test::table("lm/retries.json").at("statuses");
  for (const int status : statuses.at("retried")) {
    CAPTURE(status);
    CHECK(is_worth_retrying(status));
  }
  for (const int status : statuses.at("final")) {
    CAPTURE(status);
    CHECK_FALSE(is_worth_retrying(status));
  }
}

TEST_CASE("Headers ask for waits", "[lm][retry]") {
  const json cases = tgd::test::table("lm/retries.json").at("waits");
  for (const json& row : cases) {
    DYNAMIC_SECTION(row.at("name").get<std::string>()) {
      const std::string retry_after = row.at("retry_after");
      const std::string retry_after_ms = row.at("retry_after_ms");
      CHECK(requested_wait(retry_after, retry_after_ms, now) == optional_ms(row.at("wait")));
    }
  }
}

TEST_CASE("Headers say when a limit starts anew and what is left of it", "[lm][retry]") {
  const json table = tgd::test::table("lm/retries.json");
  for (const json& row : table.at("resets")) {
    CAPTURE(row);
    CHECK(reset_time(row[0].get<std::string>()) == optional_ms(row[1]));
  }
  for (const json& row : table.at("limits")) {
    INFO(row.at("name"));
    const json& headers = row.at("headers");
    const auto limits = limits_left([&](std::string_view name) { return headers.value(std::string(name), ""); }, now);
    CHECK(limits.requests == limit_of(row, "requests"));
    CHECK(limits.tokens == limit_of(row, "tokens"));
  }
}

TEST_CASE("Waits are named in words", "[lm][retry]") {
  const json words = tgd::test::table("lm/retries.json").at("words");
  for (const json& row : words) {
    CAPTURE(row);
    CHECK(tgd::net::wait_named_in(row[0].get<std::string>()) == optional_ms(row[1]));
  }
}

TEST_CASE("The next delay follows from the error, the history and the dice", "[lm][retry]") {
  const json table = tgd::test::table("lm/retries.json");
  const RetryPolicy policy = policy_of(table.at("policy"));
  for (const json& row : table.at("decisions")) {
    DYNAMIC_SECTION(row.at("name").get<std::string>()) {
      const LMError error(kind_named(row.at("kind")), "", row.at("status"), row.at("retryable"),
                          optional_ms(row.at("retry_after")));
      const RetryHistory history{.retries = row.at("retries"), .unusable = row.at("unusable")};
      CHECK(next_delay(policy, error, history, row.at("random")) == optional_ms(row.at("delay")));
    }
  }
}

TEST_CASE("Backoff stops growing at the cap, after any number of retries", "[lm][retry]") {
  const RetryPolicy policy{.max_retries = 1'000'000, .base = 100ms, .cap = 1000ms};
  const LMError error(Kind::status, "", 500, true);
  const double almost_one = 0.9999;
  CHECK(next_delay(policy, error, {.retries = 3}, almost_one) == 799ms);
  CHECK(next_delay(policy, error, {.retries = 4}, almost_one) == 999ms);
  CHECK(next_delay(policy, error, {.retries = 999'999}, almost_one) == 999ms);
  CHECK(next_delay({.base = 5000ms, .cap = 1000ms}, error, {}, almost_one) == 999ms);
}

TEST_CASE("The concurrency limit halves on a refusal and recovers with answers", "[lm][retry]") {
  const ConcurrencyLimit::TimePoint start{};
  ConcurrencyLimit limit(16);
  CHECK(limit.value() == 16);

  limit.note_refusal(start, start + 1s);
  CHECK(limit.value() == 8);

  SECTION("refusals of what was sent before count once") {
    limit.note_refusal(start, start + 2s);
    limit.note_refusal(start + 500ms, start + 2s);
    CHECK(limit.value() == 8);
    limit.note_refusal(start + 1s, start + 3s);
    CHECK(limit.value() == 4);
  }
  SECTION("it never falls below one") {
    for (int i = 1; i < 20; ++i) limit.note_refusal(start + std::chrono::seconds(i), start + std::chrono::seconds(i + 1));
    CHECK(limit.value() == 1);
  }
  SECTION("as many answers as are in flight widen it by about one") {
    for (int i = 0; i < 9; ++i) limit.note_answer();
    CHECK(limit.value() == 9);
  }
  SECTION("it never rises above the most") {
    for (int i = 0; i < 1000; ++i) limit.note_answer();
    CHECK(limit.value() == 16);
  }
}
