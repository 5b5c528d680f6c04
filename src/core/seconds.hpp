// Spans of time as people give them: what is no span is refused, and none overflows a clock.
#pragma once

#include <chrono>
#include <string_view>

namespace tgd::detail {

/// A year: more than anybody waits, and far from any overflow.
inline constexpr std::chrono::milliseconds longest_span = std::chrono::hours(24 * 365);

/// Seconds as milliseconds, rounded up. Throws ValueError that begins with `what` for what is not more than 0 and at most a year:
/// not a number, infinite, negative, 1e300.
std::chrono::milliseconds span_of_seconds(double seconds, std::string_view what);

/// Throws ValueError that begins with `what` for a span that is not more than 0 and at most a year.
void expect_span(std::chrono::milliseconds span, std::string_view what);

/// The same, where 0 has a meaning of its own.
void expect_span_or_0(std::chrono::milliseconds span, std::string_view what);

}  // namespace tgd::detail
