// Limits per minute and what endpoints say of theirs, without a clock.
#include "net/rate.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"

using namespace std::chrono_literals;
using tgd::net::TimePoint;
using tgd::net::LearnedRate;
using tgd::net::MinuteWindow;
using tgd::net::RateLimit;

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

// ---- The rate that an endpoint bears -----------------------------------------------------------------------------------

namespace {

/// A server that takes so many requests a second, one after the other, and a client that always sends as soon as it may. Each answer
/// and each refusal is there at once.
struct Asked {
  int answered = 0;
  int refused = 0;
  double seconds = 0;
};

Asked ask_busy_server(double per_second, int wanted, int burst) {
  LearnedRate rate;
  Asked asked;
  TimePoint now = epoch;
  double tokens = per_second;
  TimePoint filled = now;
  int in_burst = burst;
  while (asked.answered < wanted) {
    now = std::max(now, rate.earliest(now));
    if (in_burst > 0) --in_burst;
    if (in_burst == 0 && !rate.is_limited()) now += 1ms;
    tokens = std::min(per_second, tokens + per_second * std::chrono::duration<double>(now - filled).count());
    filled = now;
    rate.note_sent(now);
    if (tokens >= 1) {
      tokens -= 1;
      ++asked.answered;
      rate.note_answer(now);
    } else {
      ++asked.refused;
      rate.note_refusal(now, now);
    }
  }
  asked.seconds = std::chrono::duration<double>(now - epoch).count();
  return asked;
}

}  // namespace

TEST_CASE("A rate is learned from refusals: hardly any are sent in vain, and little time is lost", "[lm][rate]") {
  const double per_second = GENERATE(5.0, 30.0, 200.0);
  const int wanted = static_cast<int>(per_second) * 20;
  const Asked asked = ask_busy_server(per_second, wanted, 64);
  CAPTURE(per_second, asked.answered, asked.refused, asked.seconds);
  CHECK(asked.refused < wanted / 4 + 64);
  CHECK(asked.seconds < 30);  // of the 19 that it takes at best
}

TEST_CASE("One refusal of few requests narrows no rate, and a calm endpoint gets back its own", "[lm][rate]") {
  LearnedRate rate;
  rate.note_sent(epoch);
  rate.note_refusal(epoch, epoch + 5ms);
  CHECK_FALSE(rate.is_limited());
  CHECK(rate.earliest(epoch + 6ms) == epoch + 6ms);
  for (int i = 0; i < 20; ++i) rate.note_sent(epoch + 1s);
  for (int i = 0; i < 15; ++i) rate.note_refusal(epoch + 1s, epoch + 1100ms);
  REQUIRE(rate.is_limited());
  CHECK(rate.per_second() == Approx(0.9 * 5));
  CHECK(rate.earliest(epoch + 1100ms) > epoch + 1100ms);
  TimePoint now = epoch + 1100ms;
  for (int i = 0; i < 60; ++i) rate.note_answer(now += 1s);
  CHECK_FALSE(rate.is_limited());
}

TEST_CASE("An endpoint that takes nothing is asked ever more rarely, but asked", "[lm][rate]") {
  LearnedRate rate;
  TimePoint now = epoch;
  for (int i = 0; i < 10; ++i) rate.note_sent(now);
  for (int i = 0; i < 10; ++i) rate.note_refusal(now, now);
  for (int i = 0; i < 100; ++i) {
    now = rate.earliest(now);
    rate.note_sent(now);
    rate.note_refusal(now, now + 1ms);
    now += 1ms;
  }
  CHECK(rate.per_second() == Approx(0.5));
  CHECK(rate.earliest(now) <= now + 2s);
}
