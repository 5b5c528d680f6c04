#include "core/seconds.hpp"

#include <fmt/format.h>
#include <tgd/error.hpp>

namespace tgd::detail {

std::chrono::milliseconds span_of_seconds(double seconds, std::string_view what) {
  constexpr double longest = std::chrono::duration<double>(longest_span).count();
  if (!(seconds > 0 && seconds <= longest)) {
    throw ValueError(fmt::format("{} is {} seconds; it has to be more than 0 and at most {} (a year)", what, seconds, longest));
  }
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
}

void expect_span(std::chrono::milliseconds span, std::string_view what) {
  if (span.count() <= 0) throw ValueError(fmt::format("{} must be more than 0, but is {} ms", what, span.count()));
  if (span > longest_span) {
    throw ValueError(fmt::format("{} must be at most a year, {} ms, but is {} ms", what, longest_span.count(), span.count()));
  }
}

void expect_span_or_0(std::chrono::milliseconds span, std::string_view what) {
  if (span.count() != 0) expect_span(span, what);
}

}  // namespace tgd::detail
