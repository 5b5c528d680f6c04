#include "train/tally.hpp"

#include <cmath>
#include <deque>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "core/counted.hpp"
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

std::string first_of(const std::vector<FailedSample>& failed) {
  const FailedSample& first = failed.front();
  return first.name.empty() ? first.problem : fmt::format("{}: {}", first.name, first.problem);
}

/// Where every call fails the fault is hardly the samples'.
void expect_answers(const Scores& scores) {
  if (scores.means.samples < 2 || scores.unanswered < scores.means.samples) return;
  throw Error(fmt::format("none of the {} got an answer; the first: {}", tgd::detail::counted(scores.means.samples, "sample"),
                          first_of(scores.failed)));
}

}  // namespace

std::string broken_limit(const std::map<std::string, Limits>& limits, const Metrics& metrics) {
  for (const auto& [name, limit] : limits) {
    const auto found = metrics.named.find(name);
    if (found == metrics.named.end()) continue;
    const auto text = [&, &wanted = name](double bound, const char* end) {
      return fmt::format("the metric \"{}\" is {:.4g}, and may be {:.4g} at the {}", wanted, found->second, bound, end);
    };
    if (limit.max && found->second > *limit.max) return text(*limit.max, "most");
    if (limit.min && found->second < *limit.min) return text(*limit.min, "least");
  }
  return {};
}

FailureLimit::FailureLimit(std::optional<double> max_share) : max_share_(max_share) {
  if (max_share && !(*max_share >= 0 && *max_share <= 1)) {
    throw ValueError(
        fmt::format("TrainerOptions::max_failed_share is {}; it has to be between 0 and 1, such as 0.1", *max_share));
  }
}

void FailureLimit::add(FailedSamples& all, const std::string& part, const Scores& scores, std::size_t samples) const {
  for (const FailedSample& failed : scores.failed) {
    if (!failed.origin) {
      ++all.nameless;
    } else {
      all.names.insert(failed.origin->file ? failed.name : part + failed.name);  // numbers are those of a part
    }
  }
  if (scores.failed.empty() || !max_share_) return;
  const std::size_t count = all.count();
  if (static_cast<double>(count) <= *max_share_ * static_cast<double>(samples)) return;
  throw Error(fmt::format("{} of {} have failed, and max_failed_share allows {:.4g}% of them; the last: {}", count,
                          tgd::detail::counted(samples, "sample"), *max_share_ * 100, first_of(scores.failed)));
}

void Tally::add(std::size_t samples, const StepResult& result) {
  const Data& score = result.evaluation.score.data();
  std::vector<double> scores;
  if (score.size() == samples && (score.is_batch() || samples == 1)) {
    scores = score.is_batch() ? score.as_reals() : std::vector<double>{score.real()};
    samples_.insert(samples_.end(), scores.begin(), scores.end());
  } else if (score.is_batch()) {
    scores = score.size() == 0 ? std::vector<double>{} : score.as_reals();
  } else {
    const bool is_mean = tgd::detail::impl_of(result.evaluation.score)->storage->is_mean();
    scores = {score.real() * (is_mean ? static_cast<double>(samples) : 1.0)};
  }
  for (const double one : scores) check_figure("the evaluator's score", one);
  for (const auto& [name, mean] : result.metrics) check_figure(fmt::format("the metric \"{}\"", name), mean);
  sum_.score = std::accumulate(scores.begin(), scores.end(), sum_.score);
  sum_.samples += samples;
  add_failures(result.evaluation.score);
  for (const auto& [name, mean] : result.metrics) add_metric(name, mean, samples);
  const Storage& parts = tgd::detail::impl_of(result.evaluation.score)->storage->parts();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (const auto& [name, value] : parts.metrics(i)) add_metric(name, value, 1);
  }
}

void Tally::add_metric(const std::string& name, double mean, std::size_t samples) {
  sum_.named[name] += mean * static_cast<double>(samples);
  measured_[name] += samples;
}

void Tally::add_failures(const Variable& score) {
  const Storage& parts = tgd::detail::impl_of(score)->storage->parts();
  for (const auto& [item, problem] : parts.problems()) {
    if (!problem->is_failure) continue;
    ++sum_.failed;
    unanswered_ += problem->cause.empty() ? 0 : 1;
    const SampleOrigin* origin = parts.origin(item);
    failed_.push_back({parts.item_name(item), origin != nullptr ? std::optional(*origin) : std::nullopt, to_string(*problem)});
  }
}

Scores Tally::scores() const {
  Scores scores{sum_, samples_.size() == sum_.samples ? samples_ : std::vector<double>{}, failed_, unanswered_};
  if (sum_.samples == 0) return scores;
  const auto samples = static_cast<double>(sum_.samples);
  scores.means.score /= samples;
  for (auto& [name, value] : scores.means.named) value /= static_cast<double>(measured_.at(name));
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
  Scores scores = tally.scores();
  expect_answers(scores);
  return scores;
}

}  // namespace tgd::detail
