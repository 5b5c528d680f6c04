#include "train/tally.hpp"

#include <cmath>
#include <deque>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "core/variable_impl.hpp"

namespace tgd::detail {

namespace {

/// A figure that is no number would stand in no file and win or lose every comparison: it is refused where it comes in.
void check_figure(const std::string& name, double value) {
  if (std::isfinite(value)) return;
  throw ValueError(
      fmt::format("{} is {}, which is no number to go on with; where there is nothing to measure (a division by zero), "
                  "leave the metric away or return 0",
                  name, value));
}

}  // namespace

void Tally::add(std::size_t samples, const StepResult& result) {
  const Data& score = result.evaluation.score.data();
  std::vector<double> scores;
  if (score.size() == samples && (score.is_batch() || samples == 1)) {
    scores = score.is_batch() ? score.as_reals() : std::vector<double>{score.real()};
    samples_.insert(samples_.end(), scores.begin(), scores.end());
  } else if (score.is_batch()) {
    scores = score.size() == 0 ? std::vector<double>{} : score.as_reals();
  } else {
    const bool is_mean = result.evaluation.score.impl()->storage->is_mean();
    scores = {score.real() * (is_mean ? static_cast<double>(samples) : 1.0)};
  }
  for (const double one : scores) check_figure("the evaluator's score", one);
  for (const auto& [name, mean] : result.metrics) check_figure(fmt::format("the metric \"{}\"", name), mean);
  sum_.score = std::accumulate(scores.begin(), scores.end(), sum_.score);
  sum_.samples += samples;
  sum_.failed += result.failed + (result.count_failed ? result.count_failed() : 0);
  for (const auto& [name, mean] : result.metrics) sum_.named[name] += mean * static_cast<double>(samples);
}

Scores Tally::scores() const {
  Scores scores{sum_, samples_.size() == sum_.samples ? samples_ : std::vector<double>{}};
  if (sum_.samples == 0) return scores;
  const auto samples = static_cast<double>(sum_.samples);
  scores.means.score /= samples;
  for (auto& [name, value] : scores.means.named) value /= samples;
  return scores;
}

Scores measure(const std::function<void(bool)>& set_mode, const Pass& pass) {
  const NoGradGuard no_grad;
  set_mode(false);
  constexpr std::size_t most_on_their_way = 1000;
  std::deque<std::pair<std::size_t, StepResult>> started;
  std::size_t on_their_way = 0;
  Tally tally;
  const auto read_first = [&] {
    const auto& [samples, result] = started.front();
    tally.add(samples, result);
    on_their_way -= samples;
    started.pop_front();
  };
  pass.each(0, [&](const BatchStep& batch) {
    while (!pass.batches && on_their_way >= most_on_their_way) read_first();
    if (auto result = batch.run()) {
      started.emplace_back(batch.samples, *std::move(result));
      on_their_way += batch.samples;
    }
    return true;
  });
  while (!started.empty()) read_first();
  return tally.scores();
}

}  // namespace tgd::detail
