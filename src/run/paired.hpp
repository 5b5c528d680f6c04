// How sure scores are: of a mean, and of the difference between two sets of values on the same samples.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/mean.hpp"

namespace tgd::cli {

/// By sample; nothing where one got no score.
using SampleScores = std::vector<std::optional<double>>;

std::vector<double> known_scores(const SampleScores& scores);
using tgd::detail::mean;

struct Interval {
  double low = 0;
  double high = 0;
};

/// Where the mean over all samples of that kind lies in 95 of 100 cases. Of right and wrong answers (0 and 1) the Wilson
/// interval, which is sound for few samples and for shares near 0 and 1; else Student's. Nothing for fewer than two samples.
/// Source: E. B. Wilson, JASA 22 (1927); the quantiles of t by the expansion of G. W. Hill, CACM 13 (1970).
std::optional<Interval> interval_of_mean(std::span<const double> scores);

/// Two measurements of the same samples, over those that got a score in both.
struct PairedScores {
  std::vector<double> before = {};
  std::vector<double> after = {};
  std::size_t better = 0;
  std::size_t worse = 0;

  bool empty() const { return before.empty(); }
  double difference() const { return mean(after) - mean(before); }
  /// Where the difference lies in 95 of 100 cases.
  std::optional<Interval> interval() const;
  /// How likely a difference as large, to either side, is where there is none.
  double chance() const;
};

PairedScores pair_up(const SampleScores& before, const SampleScores& after, bool higher_is_better);

/// The p-value of a difference between two measurements of the same samples, whichever is better. See probability_of_chance().
double two_sided_chance(const std::vector<double>& before, const std::vector<double>& after);

}  // namespace tgd::cli
