#include "train/tally.hpp"

#include <deque>
#include <numeric>
#include <utility>

namespace tgd::detail {

void Tally::add(std::size_t samples, const StepResult& result) {
  const Data& score = result.evaluation.score.data();
  std::vector<double> scores;
  if (score.size() == samples && (score.is_batch() || samples == 1)) {
    scores = score.is_batch() ? score.as_reals() : std::vector<double>{score.real()};
    samples_.insert(samples_.end(), scores.begin(), scores.end());
  } else if (score.is_batch()) {
    scores = score.size() == 0 ? std::vector<double>{} : score.as_reals();
  } else {
    scores = {score.real()};
  }
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
