// Mean: of numbers.
#pragma once

#include <numeric>
#include <span>

namespace tgd::detail {

/// 0 of none.
inline double mean(std::span<const double> numbers) {
  return numbers.empty() ? 0 : std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

}  // namespace tgd::detail
