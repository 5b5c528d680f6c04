#include "core/seconds.hpp"

#include <cmath>
#include <limits>

#include <tgd/error.hpp>

#include "catch.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using tgd::detail::expect_span;
using tgd::detail::span_of_seconds;

TEST_CASE("Seconds become a span that no clock overflows by", "[core][seconds]") {
  CHECK(span_of_seconds(2.5, "it") == 2500ms);
  CHECK(span_of_seconds(1e-9, "it") == 1ms);
  CHECK(span_of_seconds(365 * 86'400.0, "it") == tgd::detail::longest_span);
}

TEST_CASE("What is no number of seconds is refused by name", "[core][seconds]") {
  const double infinite = std::numeric_limits<double>::infinity();
  for (const double seconds : {0.0, -1.0, 1e300, 1e9, infinite, -infinite, std::nan("")}) {
    CAPTURE(seconds);
    CHECK_THROWS_WITH(span_of_seconds(seconds, "--timeout"), ContainsSubstring("--timeout is "));
  }
  CHECK_THROWS_AS(expect_span(0ms, "timeout"), tgd::ValueError);
  CHECK_THROWS_AS(expect_span(-5ms, "timeout"), tgd::ValueError);
  CHECK_THROWS_WITH(expect_span(std::chrono::milliseconds::max(), "timeout"),
                    ContainsSubstring("timeout must be at most a year"));
  CHECK_NOTHROW(expect_span(1ms, "timeout"));
}

TEST_CASE("0 is taken where it has a meaning of its own, and nothing else below", "[core][seconds]") {
  CHECK_NOTHROW(tgd::detail::expect_span_or_0(0ms, "pause"));
  CHECK_NOTHROW(tgd::detail::expect_span_or_0(5ms, "pause"));
  CHECK_THROWS_WITH(tgd::detail::expect_span_or_0(-1ms, "pause"), ContainsSubstring("pause must be more than 0"));
  CHECK_THROWS_AS(tgd::detail::expect_span_or_0(std::chrono::milliseconds::max(), "pause"), tgd::ValueError);
}
