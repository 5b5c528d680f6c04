// Trainer: epochs of clear_grad, step, backward and optimizer step over the batches of a DataLoader, with validation between
// them and the best parameters kept.
//
//   struct Agent : Module {
//     std::optional<StepResult> training_step(Batch& batch);    // the forward pass and an evaluator; nullopt skips the batch
//     std::optional<StepResult> validation_step(Batch& batch);  // optional: else training_step
//     std::optional<StepResult> test_step(Batch& batch);        // optional: else the validation's
//     std::shared_ptr<optim::Optimizer> configure_optimizers();
//   };
//   Trainer trainer({.max_epochs = 4, .backward = {.model = critic}});
//   FitResult result = trainer.fit(agent, train_loader, validation_loader);
//
// Validation and test run without gradients and in eval mode where the agent has one. They start every batch before they read
// the first result, so that all samples are on their way at the same time.
// Errors: what a step, a backward pass or the optimizer throws, with the epoch and step in front. The parameters are then the
// best ones so far.
// Thread-safety: one thread at a time for each object; callbacks run on the thread that calls.
// Model: lightning.Trainer.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/export.hpp>
#include <tgd/optim.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// What a step says about its batch.
struct StepResult {
  StepResult(Evaluation result) : evaluation(std::move(result)) {}  // NOLINT(google-explicit-constructor)

  /// The score is a list with one number per sample, or their sum.
  Evaluation evaluation;
  std::map<std::string, double> metrics = {};  ///< further figures, each a mean over the batch
  std::size_t failed = 0;                      ///< samples that got no answer
};

/// Means over samples, whatever the batch sizes were.
struct Metrics {
  double score = 0;
  std::size_t samples = 0;
  std::size_t failed = 0;
  std::map<std::string, double> named = {};
};

/// Epochs and steps count from 1; `step` goes on through all epochs.
struct StepReport {
  std::size_t epoch = 0;
  std::size_t epochs = 0;
  std::size_t step = 0;
  std::size_t step_in_epoch = 0;
  std::size_t steps_in_epoch = 0;
  Metrics metrics = {};  ///< of the batch, with the parameters before the step
};

struct ValidationReport {
  std::size_t epoch = 0;  ///< 0 before the first step
  std::size_t step = 0;
  Metrics metrics = {};
  bool is_best = false;  ///< strictly better than every validation before
};

/// Hears what happens during fit(). What a callback throws ends the run.
class TGD_API TrainerCallback {
 public:
  virtual ~TrainerCallback();
  virtual void on_step(const StepReport&) {}
  virtual void on_validation(const ValidationReport&) {}
};

struct TrainerOptions {
  std::size_t max_epochs = 1;
  /// Validate after every so many steps; 0: after each epoch. The end of the last epoch is always validated.
  std::size_t validate_every = 0;
  bool higher_is_better = true;
  autograd::BackwardOptions backward = {};
  std::vector<std::shared_ptr<TrainerCallback>> callbacks = {};
};

struct FitResult {
  std::size_t steps = 0;
  /// Validations before the first step and of the parameters that were kept; without validation data nullopt.
  std::optional<ValidationReport> first = {};
  std::optional<ValidationReport> best = {};
};

namespace detail {

/// A batch whose type is forgotten: what remains is to run the agent's step on it.
struct BatchStep {
  std::size_t samples = 0;
  std::function<std::optional<StepResult>()> run;
};

/// One epoch of a loader: calls `visit` for each batch.
struct Pass {
  std::size_t batches = 0;
  std::function<void(const std::function<void(const BatchStep&)>& visit)> each;
};

/// An agent whose type is forgotten.
struct Trainee {
  std::shared_ptr<optim::Optimizer> optimizer;
  std::function<void(bool training)> set_mode;
};

inline std::size_t sample_count(const Variable& batch) { return batch.size(); }
inline std::size_t sample_count(const std::map<std::string, Variable>& batch) {
  return batch.empty() ? 0 : batch.begin()->second.size();
}
template <class First, class... Rest>
std::size_t sample_count(const std::tuple<First, Rest...>& batch) {
  return sample_count(std::get<0>(batch));
}

template <class Agent, class Batch>
std::optional<StepResult> validation_step(Agent& agent, Batch& batch) {
  if constexpr (requires { agent.validation_step(batch); }) {
    return agent.validation_step(batch);
  } else {
    return agent.training_step(batch);
  }
}

template <class Agent, class Batch>
std::optional<StepResult> test_step(Agent& agent, Batch& batch) {
  if constexpr (requires { agent.test_step(batch); }) {
    return agent.test_step(batch);
  } else {
    return detail::validation_step(agent, batch);
  }
}

template <class Loader, class Step>
Pass pass_over(const Loader& loader, Step step) {
  return {loader.size(), [&loader, step](const std::function<void(const BatchStep&)>& visit) {
            for (auto& batch : loader) {
              visit({sample_count(batch), [&batch, &step]() -> std::optional<StepResult> { return step(batch); }});
            }
          }};
}

template <class Agent>
std::function<void(bool)> mode_of(Agent& agent) {
  if constexpr (requires { agent.train(true); }) {
    return [&agent](bool training) { agent.train(training); };
  } else {
    return [](bool) {};
  }
}

}  // namespace detail

class TGD_API Trainer {
 public:
  explicit Trainer(TrainerOptions options = {}) : options_(std::move(options)) {}

  /// Trains for max_epochs. With validation data it validates before the first step, too, and at the end, and after an error,
  /// the parameters are those of the best validation.
  template <class Agent, class Train, class Validation>
  FitResult fit(Agent& agent, const Train& train, const Validation& validation) {
    return run(trainee(agent), training_pass(agent, train), validation_pass(agent, validation));
  }
  template <class Agent, class Train>
  FitResult fit(Agent& agent, const Train& train) {
    return run(trainee(agent), training_pass(agent, train), std::nullopt);
  }

  template <class Agent, class Loader>
  Metrics validate(Agent& agent, const Loader& loader) {
    return measure(detail::mode_of(agent), validation_pass(agent, loader));
  }
  template <class Agent, class Loader>
  Metrics test(Agent& agent, const Loader& loader) {
    return measure(detail::mode_of(agent),
                   detail::pass_over(loader, [&agent](auto& batch) { return detail::test_step(agent, batch); }));
  }

 private:
  template <class Agent>
  static detail::Trainee trainee(Agent& agent) {
    return {agent.configure_optimizers(), detail::mode_of(agent)};
  }
  template <class Agent, class Loader>
  static detail::Pass training_pass(Agent& agent, const Loader& loader) {
    return detail::pass_over(loader, [&agent](auto& batch) { return agent.training_step(batch); });
  }
  template <class Agent, class Loader>
  static detail::Pass validation_pass(Agent& agent, const Loader& loader) {
    return detail::pass_over(loader, [&agent](auto& batch) { return detail::validation_step(agent, batch); });
  }

  FitResult run(const detail::Trainee& trainee, const detail::Pass& train, const std::optional<detail::Pass>& validation);
  static Metrics measure(const std::function<void(bool)>& set_mode, const detail::Pass& pass);

  TrainerOptions options_;
};

}  // namespace tgd
