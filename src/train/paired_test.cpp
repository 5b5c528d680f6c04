#include "train/paired_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace tgd::detail {

namespace {

/// At least `wins` heads in `tosses`.
double binomial_tail(std::size_t tosses, std::size_t wins) {
  const auto n = static_cast<double>(tosses);
  double tail = 0;
  for (std::size_t k = wins; k <= tosses; ++k) {
    const auto heads = static_cast<double>(k);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(heads + 1) - std::lgamma(n - heads + 1) - n * std::log(2.0));
  }
  return std::min(1.0, tail);
}

double enumerated_tail(const std::vector<double>& sizes, double sum) {
  constexpr double slack = 1e-9;  // sums of the same numbers in another order
  const std::size_t patterns = std::size_t{1} << sizes.size();
  std::size_t as_large = 0;
  for (std::size_t pattern = 0; pattern < patterns; ++pattern) {
    double flipped = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) flipped += (pattern >> i & 1U) != 0 ? sizes[i] : -sizes[i];
    if (flipped >= sum - slack) ++as_large;
  }
  return static_cast<double>(as_large) / static_cast<double>(patterns);
}

}  // namespace

double probability_of_chance(std::span<const double> differences) {
  std::vector<double> sizes;
  std::size_t wins = 0;
  for (const double difference : differences) {
    if (difference == 0) continue;
    sizes.push_back(std::abs(difference));
    if (difference > 0) ++wins;
  }
  if (sizes.empty()) return 1;
  const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
  if (*least == *most) return binomial_tail(sizes.size(), wins);
  const double sum = std::accumulate(differences.begin(), differences.end(), 0.0);
  constexpr std::size_t enumerable = 16;
  if (sizes.size() <= enumerable) return enumerated_tail(sizes, sum);
  const double deviation = std::sqrt(std::inner_product(sizes.begin(), sizes.end(), sizes.begin(), 0.0));
  return 0.5 * std::erfc(sum / deviation / std::sqrt(2.0));
}

}  // namespace tgd::detail
