#include "run/paired.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "train/paired_test.hpp"

namespace tgd::cli {

namespace {

constexpr double normal_quantile = 1.959963984540054;  // 97.5 %

/// The 97.5 % quantile of Student's distribution.
double t_quantile(std::size_t freedom) {
  // The expansion is off by more than a thousandth for these.
  constexpr double exact[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060};
  if (freedom <= std::size(exact)) return exact[freedom - 1];
  const double z = normal_quantile;
  const auto n = static_cast<double>(freedom);
  return z + (std::pow(z, 3) + z) / (4 * n) + (5 * std::pow(z, 5) + 16 * std::pow(z, 3) + 3 * z) / (96 * n * n);
}

std::optional<Interval> student_interval(std::span<const double> values) {
  if (values.size() < 2) return std::nullopt;
  const double middle = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - middle) * (value - middle);
  const auto n = static_cast<double>(values.size());
  const double reach = t_quantile(values.size() - 1) * std::sqrt(squares / (n - 1) / n);
  return Interval{middle - reach, middle + reach};
}

Interval wilson_interval(double share, double n) {
  const double z2 = normal_quantile * normal_quantile;
  const double middle = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double reach = normal_quantile / (1 + z2 / n) * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  return {std::max(0.0, middle - reach), std::min(1.0, middle + reach)};
}

}  // namespace

std::vector<double> known_scores(const SampleScores& scores) {
  std::vector<double> known;
  for (const std::optional<double>& score : scores) {
    if (score) known.push_back(*score);
  }
  return known;
}

std::optional<Interval> interval_of_mean(std::span<const double> scores) {
  const bool is_binary = std::all_of(scores.begin(), scores.end(), [](double score) { return score == 0 || score == 1; });
  if (scores.size() < 2) return std::nullopt;
  return is_binary ? wilson_interval(mean(scores), static_cast<double>(scores.size())) : student_interval(scores);
}

std::optional<Interval> PairedScores::interval() const {
  std::vector<double> differences(before.size());
  std::transform(after.begin(), after.end(), before.begin(), differences.begin(), std::minus<>());
  return student_interval(differences);
}

double PairedScores::chance() const { return two_sided_chance(before, after); }

PairedScores pair_up(const SampleScores& before, const SampleScores& after, bool higher_is_better) {
  PairedScores pairs;
  for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
    if (!before[i] || !after[i]) continue;
    pairs.before.push_back(*before[i]);
    pairs.after.push_back(*after[i]);
    if (*before[i] == *after[i]) continue;
    ++((*after[i] > *before[i]) == higher_is_better ? pairs.better : pairs.worse);
  }
  return pairs;
}

double two_sided_chance(const std::vector<double>& before, const std::vector<double>& after) {
  std::vector<double> gains(before.size());
  std::vector<double> losses(before.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    gains[i] = after[i] - before[i];
    losses[i] = before[i] - after[i];
  }
  return std::min(1.0, 2 * std::min(tgd::detail::probability_of_chance(gains), tgd::detail::probability_of_chance(losses)));
}

}  // namespace tgd::cli
