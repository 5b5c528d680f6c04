// What the benchmarks share: clocks, medians and a table.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

namespace tgd::bench {

/// Wall time of one call, in seconds.
inline double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The median of several runs.
inline double median_seconds(int runs, const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) times.push_back(seconds(work));
  return median(std::move(times));
}

}  // namespace tgd::bench
