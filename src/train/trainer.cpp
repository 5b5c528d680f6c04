#include <tgd/trainer.hpp>

#include <numeric>

#include <fmt/format.h>

#include "core/rethrow.hpp"

namespace tgd {

namespace {

using detail::BatchStep;
using detail::Pass;
using detail::Trainee;

/// Adds up batches by sample.
class Tally {
 public:
  void add(std::size_t samples, const StepResult& result) {
    const Data& score = result.evaluation.score.data();
    if (score.is_batch()) {
      const std::vector<double> scores = score.size() == 0 ? std::vector<double>{} : score.as_reals();
      sum_.score = std::accumulate(scores.begin(), scores.end(), sum_.score);
    } else {
      sum_.score += score.real();
    }
    sum_.samples += samples;
    sum_.failed += result.failed;
    for (const auto& [name, mean] : result.metrics) sum_.named[name] += mean * static_cast<double>(samples);
  }

  Metrics means() const {
    Metrics means = sum_;
    if (means.samples == 0) return means;
    const auto samples = static_cast<double>(means.samples);
    means.score /= samples;
    for (auto& [name, value] : means.named) value /= samples;
    return means;
  }

 private:
  Metrics sum_;
};

/// Runs `work`; what it throws gets the text of `place()` in front.
template <class Place, class Work>
auto in_place(const Place& place, const Work& work) {
  try {
    return work();
  } catch (...) {
    detail::rethrow_with_prefix(place());
  }
}

/// The state of one fit().
class Run {
 public:
  Run(const TrainerOptions& options, const Trainee& trainee, std::function<Metrics()> validate)
      : options_(options), trainee_(trainee), validate_(std::move(validate)) {}

  FitResult fit(const Pass& train) {
    try {
      validate();
      for (epoch_ = 1; epoch_ <= options_.max_epochs; ++epoch_) run_epoch(train);
    } catch (...) {
      restore_best();
      throw;
    }
    restore_best();
    return std::move(result_);
  }

 private:
  void run_epoch(const Pass& train) {
    std::size_t step_in_epoch = 0;
    trainee_.set_mode(true);
    train.each([&](const BatchStep& batch) {
      ++step_in_epoch;
      StepReport report{epoch_, options_.max_epochs, ++result_.steps, step_in_epoch, train.batches};
      report.metrics = in_place([&] { return fmt::format("epoch {}, step {} of {}: ", epoch_, step_in_epoch, train.batches); },
                                [&] { return run_step(batch); });
      for (const auto& callback : options_.callbacks) callback->on_step(report);
      if (options_.validate_every != 0 && result_.steps % options_.validate_every == 0) validate();
    });
    const bool is_last = epoch_ == options_.max_epochs;
    if ((options_.validate_every == 0 || is_last) && validated_step_ != result_.steps) validate();
  }

  Metrics run_step(const BatchStep& batch) const {
    trainee_.optimizer->clear_grad();
    Tally tally;
    const std::optional<StepResult> result = batch.run();
    if (!result) return tally.means();
    tally.add(batch.samples, *result);
    result->evaluation.score.backward(options_.backward);
    trainee_.optimizer->step();
    return tally.means();
  }

  void validate() {
    if (!validate_) return;
    ValidationReport report{epoch_, result_.steps};
    report.metrics = in_place(
        [&] {
          return epoch_ == 0 ? "first validation: "
                             : fmt::format("validation after epoch {}, step {}: ", epoch_, result_.steps);
        },
        validate_);
    trainee_.set_mode(true);
    validated_step_ = result_.steps;
    report.is_best = !result_.best || is_better(report.metrics.score, result_.best->metrics.score);
    if (report.is_best) keep(report);
    for (const auto& callback : options_.callbacks) callback->on_validation(report);
  }

  bool is_better(double score, double than) const { return options_.higher_is_better ? score > than : score < than; }

  void keep(const ValidationReport& report) {
    if (!result_.first) result_.first = report;
    result_.best = report;
    best_values_.clear();
    for (const Variable& parameter : trainee_.optimizer->parameters()) best_values_.push_back(parameter.data());
  }

  void restore_best() const {
    if (!result_.best) return;
    std::vector<Variable> parameters = trainee_.optimizer->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].set_data(best_values_[i]);
  }

  const TrainerOptions& options_;
  const Trainee& trainee_;
  std::function<Metrics()> validate_;
  FitResult result_;
  std::size_t epoch_ = 0;
  std::optional<std::size_t> validated_step_;
  std::vector<Data> best_values_;
};

}  // namespace

TrainerCallback::~TrainerCallback() = default;

FitResult Trainer::run(const Trainee& trainee, const Pass& train, const std::optional<Pass>& validation) {
  std::function<Metrics()> validate;
  if (validation) validate = [&] { return measure(trainee.set_mode, *validation); };
  return Run(options_, trainee, std::move(validate)).fit(train);
}

Metrics Trainer::measure(const std::function<void(bool)>& set_mode, const Pass& pass) {
  const NoGradGuard no_grad;
  set_mode(false);
  std::vector<std::pair<std::size_t, StepResult>> results;
  pass.each([&](const BatchStep& batch) {
    if (auto result = batch.run()) results.emplace_back(batch.samples, *std::move(result));
  });
  Tally tally;
  for (const auto& [samples, result] : results) tally.add(samples, result);
  return tally.means();
}

}  // namespace tgd
