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

}  // namespace

/// Where every call fails the fault is hardly the samples'.
void expect_answers(const Scores& scores) {
  if (scores.means.samples < 2 || scores.unanswered < scores.means.samples) return;
  throw Error(none_answered(scores.unanswered, scores.means.samples, first_of(scores.failed)));
}

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

std::string too_many_failed(std::size_t failed, std::size_t samples, std::optional<double> max_share,
                            const std::string& example) {
  if (!max_share || static_cast<double>(failed) <= *max_share * static_cast<double>(samples)) return {};
  return fmt::format("{} of {} have failed, and max_failed allows {:.4g}% of them; one of them: {}", failed,
                     counted(samples, "sample"), *max_share * 100, example);
}

std::string none_answered(std::size_t unanswered, std::size_t samples, const std::string& example) {
  if (samples == 0 || unanswered < samples) return {};
  return samples == 1 ? fmt::format("the only sample got no answer: {}", example)
                      : fmt::format("none of the {} samples got an answer; the first: {}", samples, example);
}

FailureLimit::FailureLimit(std::optional<double> max_share) : max_share_(max_share) {
  if (max_share && !(*max_share >= 0 && *max_share <= 1)) {
    throw ValueError(fmt::format("TrainerOptions::max_failed is {}; it has to be between 0 and 1, such as 0.1", *max_share));
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
  if (scores.failed.empty()) return;
  const std::string why = too_many_failed(all.count(), samples, max_share_, first_of(scores.failed));
  if (!why.empty()) throw Error(why);
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
  const Storage& parts = impl_of(result.evaluation.score)->storage->parts();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (const auto& [name, value] : parts.metrics(i)) add_metric(name, value, 1);
  }
}

void Tally::add_metric(const std::string& name, double mean, std::size_t samples) {
  sum_.named[name] += mean * static_cast<double>(samples);
  measured_[name] += samples;
}

void Tally::add(const Scores& part) {
  const auto samples = static_cast<double>(part.means.samples);
  sum_.score = part.samples.size() == part.means.samples ? std::accumulate(part.samples.begin(), part.samples.end(), sum_.score)
                                                         : sum_.score + part.means.score * samples;
  sum_.samples += part.means.samples;
  sum_.failed += part.means.failed;
  for (const auto& [name, mean] : part.means.named) add_metric(name, mean, part.measured.at(name));
  samples_.insert(samples_.end(), part.samples.begin(), part.samples.end());
  failed_.insert(failed_.end(), part.failed.begin(), part.failed.end());
  unanswered_ += part.unanswered;
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
  Scores scores{sum_, samples_.size() == sum_.samples ? samples_ : std::vector<double>{}, failed_, unanswered_, measured_};
  if (sum_.samples == 0) return scores;
  const auto samples = static_cast<double>(sum_.samples);
  scores.means.score /= samples;
  for (auto& [name, value] : scores.means.named) value /= static_cast<double>(measured_.at(name));
  return scores;
}

Scores settled(std::size_t samples, const StepResult& result) {
  result.evaluation.score.wait();
  Tally tally;
  tally.add(samples, result);
  return tally.scores();
}

namespace {

/// Batches on their way. Values that are on trial may be put away only when nothing reads them any more.
struct Started {
  struct Batch {
    std::size_t number;
    std::size_t samples;
    StepResult result;
  };
  Started() = default;
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  ~Started() {
    for (const Batch& batch : batches) batch.result.evaluation.score.wait();
  }
  std::deque<Batch> batches = {};
};

}  // namespace

std::size_t run_batches(const std::function<void(bool)>& set_mode, const Pass& pass, std::size_t first,
                        const std::function<Choice(std::size_t)>& choose,
                        const std::function<void(std::size_t, Scores)>& take) {
  const NoGradGuard no_grad;
  set_mode(false);
  constexpr std::size_t most_on_their_way = 1000;
  Started started;
  std::size_t on_their_way = 0;
  const auto read_first = [&] {
    const Started::Batch& oldest = started.batches.front();
    Tally tally;
    tally.add(oldest.samples, oldest.result);
    take(oldest.number, tally.scores());
    on_their_way -= oldest.samples;
    started.batches.pop_front();
  };
  std::size_t number = first;
  pass.each(first, [&](const BatchStep& batch) {
    while (!pass.batches && on_their_way >= most_on_their_way) read_first();
    const Choice choice = choose(number);
    if (choice == Choice::end) return false;
    const std::size_t own = number++;
    if (choice == Choice::skip) return true;
    if (auto result = batch.run()) {
      started.batches.push_back({own, batch.samples, *std::move(result)});
      on_their_way += batch.samples;
    }
    return true;
  });
  while (!started.batches.empty()) read_first();
  return number;
}

Scores measure(const std::function<void(bool)>& set_mode, const Pass& pass) {
  Tally tally;
  run_batches(
      set_mode, pass, 0, [](std::size_t) { return Choice::run; },
      [&](std::size_t, const Scores& scores) { tally.add(scores); });
  Scores scores = tally.scores();
  expect_answers(scores);
  return scores;
}

}  // namespace tgd::detail
