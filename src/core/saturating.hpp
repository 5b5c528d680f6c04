// Sums, differences and products of counts that stay at the ends of their range instead of overflowing. Counts come from endpoints and
// from files, and a total that turned negative would lift every limit.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace tgd::detail {

constexpr std::int64_t limit_of_counts(bool negative) {
  return negative ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

constexpr std::int64_t saturated_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? limit_of_counts(b < 0) : sum;
}

constexpr std::int64_t saturated_difference(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  return __builtin_sub_overflow(a, b, &difference) ? limit_of_counts(b > 0) : difference;
}

constexpr std::int64_t saturated_product(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? limit_of_counts((a < 0) != (b < 0)) : product;
}

// Of sizes.
constexpr std::uint64_t saturated_sum(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::uint64_t>::max() : sum;
}

constexpr std::uint64_t saturated_product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::uint64_t>::max() : product;
}

/// A figure as a count: rounded, not below 0; what is no number is 0.
inline std::int64_t count_of(double figure) {
  if (!(figure > 0)) return 0;
  return figure < 9e18 ? std::llround(figure) : limit_of_counts(false);
}

}  // namespace tgd::detail
