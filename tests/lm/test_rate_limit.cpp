// Limits per minute and what endpoints say of theirs, without a clock.
#include "lm/rate_limit.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"

using namespace std::chrono_literals;
using tgd::lm::detail::MinuteWindow;
using tgd::lm::detail::RateLimit;
using tgd::lm::detail::TimePoint;

namespace {

const TimePoint epoch = TimePoint() + 1h;

// The seconds after epoch at which `count` requests are sent by one who always sends as soon as it may.
std::vector<double> send_times(RateLimit& rate, int count, std::int64_t tokens) {
  std::vector<double> times;
  TimePoint now = epoch;
  for (int i = 0; i < count; ++i) {
    now = std::max(now, rate.earliest(now, tokens));
    rate.note_sent(now, tokens);
    times.push_back(std::chrono::duration<double>(now - epoch).count());
  }
  return times;
}

}  // namespace

TEST_CASE("Without limits everything is sent at once", "[lm][rate]") {
  RateLimit rate({});
  CHECK(send_times(rate, 1000, 1'000'000) == std::vector<double>(1000, 0));
}

TEST_CASE("No minute sees more requests than allowed", "[lm][rate]") {
  RateLimit rate({.requests = 2});
  CHECK(send_times(rate, 6, 0) == std::vector<double>{0, 0, 60, 60, 120, 120});
}

TEST_CASE("No minute sees more tokens than allowed", "[lm][rate]") {
  RateLimit rate({.tokens = 100});
  CHECK(send_times(rate, 5, 40) == std::vector<double>{0, 0, 60, 60, 120});
}

TEST_CASE("A request over the whole limit is sent alone", "[lm][rate]") {
  RateLimit rate({.tokens = 100});
  CHECK(send_times(rate, 3, 1000) == std::vector<double>{0, 60, 120});
}

TEST_CASE("Both limits hold", "[lm][rate]") {
  RateLimit rate({.requests = 3, .tokens = 100});
  CHECK(send_times(rate, 4, 10) == std::vector<double>{0, 0, 0, 60});
  RateLimit other({.requests = 3, .tokens = 100});
  CHECK(send_times(other, 4, 60) == std::vector<double>{0, 60, 120, 180});
}

TEST_CASE("An estimate is corrected by what was reported", "[lm][rate]") {
  RateLimit rate({.tokens = 100});
  const auto number = rate.note_sent(epoch, 90);
  CHECK(rate.earliest(epoch, 20) == epoch + 60s);
  SECTION("to less, which makes room") {
    rate.correct_tokens(number, 70);
    CHECK(rate.earliest(epoch, 20) == epoch);
  }
  SECTION("to more, which takes it") {
    rate.correct_tokens(number, 300);
    CHECK(rate.earliest(epoch, 1) == epoch + 60s);
  }
  SECTION("too late to matter") {
    CHECK(rate.earliest(epoch + 60s, 100) == epoch + 60s);
    rate.correct_tokens(number, 300);
    CHECK(rate.earliest(epoch + 60s, 100) == epoch + 60s);
  }
  SECTION("for the right one of several") {
    CHECK(rate.earliest(epoch + 60s, 100) == epoch + 60s);
    const auto second = rate.note_sent(epoch + 60s, 50);
    rate.note_sent(epoch + 61s, 50);
    rate.correct_tokens(second, 10);
    CHECK(rate.earliest(epoch + 61s, 40) == epoch + 61s);
    CHECK(rate.earliest(epoch + 61s, 41) == epoch + 120s);
  }
}

TEST_CASE("A window forgets what is a minute old, entry by entry", "[lm][rate]") {
  MinuteWindow window(10);
  for (int i = 0; i < 5; ++i) window.add(epoch + std::chrono::seconds(i), 2);
  CHECK(window.earliest(epoch + 5s, 2) == epoch + 60s);
  CHECK(window.earliest(epoch + 5s, 4) == epoch + 61s);
  CHECK(window.earliest(epoch + 61s, 4) == epoch + 61s);
}

TEST_CASE("What an endpoint says is left is not exceeded until its limit starts anew", "[lm][rate]") {
  RateLimit rate({});
  SECTION("requests") {
    rate.note_requests_left(2, epoch + 10s);
    CHECK(send_times(rate, 4, 5) == std::vector<double>{0, 0, 10, 10});
  }
  SECTION("tokens") {
    rate.note_tokens_left(12, epoch + 10s);
    CHECK(send_times(rate, 4, 5) == std::vector<double>{0, 0, 10, 10});
  }
  SECTION("and the latest word counts") {
    rate.note_requests_left(0, epoch + 10s);
    rate.note_requests_left(1, epoch + 20s);
    CHECK(send_times(rate, 2, 5) == std::vector<double>{0, 20});
  }
}

TEST_CASE("A pause holds everything back", "[lm][rate]") {
  RateLimit rate({});
  rate.pause(epoch + 3s);
  rate.pause(epoch + 2s);
  CHECK(send_times(rate, 2, 0) == std::vector<double>{3, 3});
}

TEST_CASE("Tokens beyond all bounds do not turn a limit around", "[lm][rate]") {
  RateLimit rate({.tokens = 100});
  CHECK(send_times(rate, 3, std::numeric_limits<std::int64_t>::max()) == std::vector<double>{0, 60, 120});
  rate.correct_tokens(0, std::numeric_limits<std::int64_t>::min());
  CHECK(rate.earliest(epoch + 121s, 50) > epoch + 121s);
}
