// The training loop: what a step says, what a run reports, and the Trainer.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/cognitive/module.hpp>
#include <tgd/export.hpp>
#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/prices.hpp>
#include <tgd/optim.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// What a step says about its batch.
struct StepResult {
  StepResult(Evaluation result) : evaluation(std::move(result)) {}  // NOLINT(google-explicit-constructor)

  /// The score is a list with one number per sample, or their sum. What its items have problems with counts as failed.
  Evaluation evaluation;
  std::map<std::string, double> metrics = {};  ///< further figures, each a mean over the batch
};

/// Means over samples, whatever the batch sizes were.
struct Metrics {
  double score = 0;
  std::size_t samples = 0;
  std::size_t failed = 0;  ///< of them, by their own fault (Problem::is_failure); they score worst
  std::map<std::string, double> named = {};
};

/// What a proposal has to show, with the gate's confidence.
enum class GateRule {
  better,     ///< that it is better; small steps seldom can, so that runs are slow and sure
  not_worse,  ///< only that it is not worse: stops what ruins a prompt, and lets small steps add up
};

/// Takes a step only if what the optimizer proposes does better (or, by the rule, no worse) on the batch that it was made from,
/// and then, with validation data, on all of it, by a paired test over the samples. What is clearly worse is stopped early. A
/// rejected proposal changes nothing but the optimizer's memory: the next request says what did not work. The evaluators have
/// to give each sample its score (Reduction::none), the optimizers have to be TGD, and the validation loader has to keep its
/// order.
struct Gate {
  double confidence = 0;      ///< between 0 and 1, such as 0.8; 0: no gate
  std::size_t proposals = 1;  ///< drawn for each step and tried one by one; the best goes on
  GateRule takes = GateRule::better;
};

/// What the gate made of a step.
struct GateReport {
  bool accepted = false;
  std::string reason = {};    ///< why not
  std::size_t proposals = 0;  ///< different ones that were tried
  double batch_before = 0;    ///< means over samples; "after" is that of the best proposal
  double batch_after = 0;
  std::optional<double> validation_before = {};
  std::optional<double> validation_after = {};  ///< nothing where it was not tried to the end
  /// The p-value of the last comparison: how likely chance alone would give as large a gain, or loss with GateRule::not_worse.
  double chance = 1;
};

/// Values of parameters that somebody has written before the first step, such as optim::free_proposals().
struct FirstProposal {
  std::string name = {};  ///< for people
  std::vector<optim::Suggestion> values = {};
};

/// How the first proposals did. The race is the first step of a run, before its first batch: all are tried on an eighth of the
/// validation part, the better half of them on a quarter, the best one on all of it. That one is taken if it is better than the
/// present values, by the gate where there is one, else by the mean; then it is the run's first new version, and else nothing has
/// changed. What was tried on a sample is never tried on it again. Where a budget ends the last round, what is
/// better by more than chance (p <= 0.05) on the samples so far is taken.
struct RaceReport {
  struct Entry {
    std::string name;
    std::size_t samples = 0;  ///< that it was tried on; 0 where it may not be taken
    double score = 0;         ///< the mean over them
    std::string reason = {};  ///< why it may not be taken
  };
  std::vector<Entry> entries = {};
  std::optional<std::size_t> best = {};  ///< which was tried on all samples
  bool accepted = false;
};

/// Epochs and steps count from 1; `step` goes on through all epochs.
struct StepReport {
  std::size_t epoch = 0;
  std::size_t epochs = 0;
  std::size_t step = 0;
  std::size_t step_in_epoch = 0;
  std::size_t steps_in_epoch = 0;    ///< 0: unknown, as of a stream
  std::size_t samples_in_epoch = 0;  ///< seen so far by this session
  Metrics metrics = {};  ///< of the batch, with the parameters before the step; of no samples where the step skipped it
  /// What became of each parameter, for optimizers that are TGD and step automatically. With the gate that of its best
  /// proposal, `rejected` where the gate did not take it.
  std::vector<optim::ParameterUpdate> updates = {};
  std::optional<GateReport> gate = {};
  std::optional<RaceReport> race = {};  ///< of the step that the first proposals are; it has no batch, and `step_in_epoch` is 0
};

/// The batch that a run is at. Numbers as in StepReport.
struct BatchInfo {
  std::size_t epoch = 0;
  std::size_t step = 0;
  std::size_t step_in_epoch = 0;
  std::size_t samples = 0;
};

/// A validation that begins.
struct ValidationInfo {
  std::size_t epoch = 0;  ///< 0 before the first step
  std::size_t step = 0;   ///< the last one before it
};

/// What a validation came to: means over its samples.
struct ValidationReport {
  std::size_t epoch = 0;  ///< 0 before the first step
  std::size_t step = 0;
  Metrics metrics = {};
  bool is_best = false;  ///< strictly better than every validation before
};

/// How a run is doing at this moment. Of tracked models, over all the sessions of the run.
struct RunStatus {
  double seconds = 0;
  std::int64_t calls = 0;
  std::int64_t calls_in_flight = 0;
  std::optional<lm::Cost> cost = {};  ///< nothing: unknown
};

/// A run that begins, and how to look at it and end it from outside. A value type; its functions may be called from any thread.
struct RunInfo {
  std::size_t epochs = 0;
  std::size_t steps_in_epoch = 0;          ///< 0: unknown, as of a stream
  std::size_t samples_in_epoch = 0;        ///< 0: unknown
  std::size_t steps_done = 0;              ///< in earlier sessions
  std::function<RunStatus()> status = {};  ///< may be called from any thread until on_end()
  std::function<void()> stop = {};         ///< ends the run after the step under way, as a limit does; from any thread
  std::function<void(std::string)> stop_because = {};  ///< the same, for a reason: FitResult::reason
};

/// A checkpoint that was written, whole.
struct CheckpointInfo {
  std::size_t step = 0;
  std::filesystem::path path = {};
};

struct FitResult;

/// Hears what happens during fit(), at every border, in this order:
///
///   on_start
///     on_validation_start, on_validation, on_checkpoint             before the first step
///     on_step, on_validation_start, on_validation, on_checkpoint    the race of first proposals, where there are any
///     on_epoch
///       on_batch_start
///       on_before_backward, on_after_backward                       the gradients are there
///       on_before_optimizer_step, on_after_optimizer_step           for each optimizer
///       on_step, on_checkpoint                                      the end of the batch
///       on_validation_start, on_validation, on_checkpoint           where it is due
///     on_epoch_end                                                  also where a limit has cut the epoch short
///   on_end
///
/// A batch that the step skips, and an agent that optimizes by hand, have neither backward nor optimizer borders; checkpoints
/// need a run folder. With the gate all optimizers are announced, then stepped. What a callback throws ends the run; on_error
/// and on_end are called all the same.
class TGD_API TrainerCallback {
 public:
  virtual ~TrainerCallback();
  virtual void on_start(const RunInfo&) {}  ///< after the checkpoint was loaded
  virtual void on_epoch(std::size_t) {}     ///< about to begin, or to go on
  virtual void on_batch_start(const BatchInfo&) {}
  virtual void on_before_backward(const BatchInfo&, const StepResult&) {}
  virtual void on_after_backward(const BatchInfo&) {}
  virtual void on_before_optimizer_step(const BatchInfo&, optim::Optimizer&) {}
  virtual void on_after_optimizer_step(const BatchInfo&, optim::Optimizer&) {}
  virtual void on_step(const StepReport&) {}
  virtual void on_validation_start(const ValidationInfo&) {}
  virtual void on_validation(const ValidationReport&) {}
  virtual void on_checkpoint(const CheckpointInfo&) {}  ///< saved and synced
  virtual void on_epoch_end(std::size_t) {}
  virtual void on_error(const std::exception_ptr&) {}  ///< what fit() is about to throw. Must not throw
  /// Always called after on_start(); null after an error. Must not throw.
  virtual void on_end(const FitResult*) {}
};

/// Ends a run when validation has got no better for a while.
struct EarlyStopping {
  std::size_t patience = 0;  ///< so many validations in a row without a new best; 0: never
  double min_delta = 0;      ///< what a score has to be better by
};

/// What a run is to do. Everything may be left out; what contradicts itself is a ValueError of the Trainer's constructor or of
/// fit().
struct TrainerOptions {
  std::size_t max_epochs = 1;
  /// Validate after every so many steps; 0: after each epoch. The end of the last epoch is always validated.
  std::size_t validate_every = 0;
  bool higher_is_better = true;
  autograd::BackwardOptions backward = {};
  std::vector<std::shared_ptr<TrainerCallback>> callbacks = {};

  // Limits: looked at between steps, with everything saved. 0: none. Those of calls, tokens and cost count tracked models,
  // over all the sessions of a run; max_cost needs prices for all of them.
  std::size_t max_steps = 0;
  std::chrono::duration<double> max_time{0};  ///< at most a year
  std::int64_t max_calls = 0;
  std::int64_t max_tokens = 0;  ///< prompt and completion
  double max_cost = 0;          ///< USD
  EarlyStopping early_stopping = {};
  Gate gate = {};
  /// Raced before the first batch. The optimizers of their parameters have to be TGD, the evaluators have to give each sample its
  /// score, and the validation loader has to keep its order; in small batches it lets the race end early for most.
  std::vector<FirstProposal> first_proposals = {};
  std::stop_token stop = {};  ///< ends the run after the step under way, as a limit does
  /// The share of the samples that may fail by their own fault (see tgd/problem.hpp; chat_completion with OnError::keep) before
  /// the run ends with an error that names them. Each sample counts once. Nothing: all but all; a measurement in which every
  /// call fails is an error in any case.
  std::optional<double> max_failed_share = {};

  std::filesystem::path run_folder = {};  ///< empty: nothing is written
  /// Besides the last one, so many checkpoints of earlier steps are kept, as `checkpoint-<step>.json`.
  std::size_t keep_checkpoints = 0;
  lm::PriceTable prices = {};
};

/// What holds for one call of fit().
struct FitOptions {
  /// Go on from the checkpoint in the run folder; where there is none yet, begin.
  bool resume = false;
  /// Go on from this checkpoint instead: an earlier one of the run folder, whose later steps are given up, or that of another
  /// run.
  std::filesystem::path checkpoint = {};
};

/// Why fit() returned.
enum class Ending { epochs, steps, time, calls, tokens, cost, early_stopping, stopped };
TGD_API std::string to_string(Ending ending);

/// What a run came to. Also where it was ended by a limit or a callback; a run that failed throws instead.
struct FitResult {
  std::size_t steps = 0;
  /// Validations before the first step and of the parameters that were kept; without validation data nullopt.
  std::optional<ValidationReport> first = {};
  std::optional<ValidationReport> best = {};
  Ending ending = Ending::epochs;
  lm::CostReport usage = {};  ///< of the tracked models, over all the sessions of the run
  std::string reason = {};    ///< the ending in words, or those of the callback that ended the run
};

namespace detail {

/// A batch whose type is forgotten: what remains is to run the agent's step on it.
struct BatchStep {
  std::size_t samples = 0;
  std::function<std::optional<StepResult>()> run;
};

/// One epoch of a loader.
struct Pass {
  std::optional<std::size_t> batches = {};  // nothing: unknown, as of a stream
  std::size_t samples = 0;                  // 0: unknown
  /// Calls `visit` for each batch from number `first` on, until it returns false.
  std::function<void(std::size_t first, const std::function<bool(const BatchStep&)>& visit)> each;
  /// What the order of the epochs to come depends on, and back.
  std::function<Json()> state = {};
  std::function<void(const Json&)> load_state = {};
};

/// An agent whose type is forgotten.
struct Trainee {
  Module* module = nullptr;  // null: the agent is no Module
  std::vector<std::shared_ptr<optim::Optimizer>> optimizers;
  std::function<void(bool training)> set_mode;
  bool automatic = true;  // the trainer calls backward and step
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

/// What a loop over a loader holds: a step may write to its batch, so one of a constant range is copied.
template <class T>
using writable_t = std::conditional_t<std::is_const_v<T>, std::remove_const_t<T>, T&>;

template <class Loader, class Step>
Pass pass_over(const Loader& loader, Step step) {
  Pass pass;
  if constexpr (requires { loader.size(); }) pass.batches = loader.size();
  if constexpr (requires { loader.samples(); }) pass.samples = loader.samples();
  pass.each = [&loader, step](std::size_t first, const std::function<bool(const BatchStep&)>& visit) {
    const auto run = [&](auto&& batches, std::size_t skipped) {
      for (auto&& given : batches) {
        if (skipped > 0) {
          --skipped;
          continue;
        }
        writable_t<std::remove_reference_t<decltype(given)>> batch = given;
        if (!visit({sample_count(batch), [&batch, &step]() -> std::optional<StepResult> { return step(batch); }})) return;
      }
    };
    if constexpr (requires { loader.from(first); }) {
      run(loader.from(first), 0);
    } else {
      run(loader, first);
    }
  };
  if constexpr (requires { loader.state_dict(); }) pass.state = [&loader] { return loader.state_dict(); };
  if constexpr (requires(const Json& saved) { loader.load_state_dict(saved); }) {
    pass.load_state = [&loader](const Json& saved) { loader.load_state_dict(saved); };
  }
  return pass;
}

template <class Agent>
std::function<void(bool)> mode_of(Agent& agent) {
  if constexpr (requires { agent.train(true); }) {
    return [&agent](bool training) { agent.train(training); };
  } else {
    return [](bool) {};
  }
}

/// The one or the several optimizers of an agent.
inline std::vector<std::shared_ptr<optim::Optimizer>> optimizers_of(std::shared_ptr<optim::Optimizer> one) {
  return {std::move(one)};
}
template <class T>
std::vector<std::shared_ptr<optim::Optimizer>> optimizers_of(const std::vector<std::shared_ptr<T>>& several) {
  return {several.begin(), several.end()};
}

template <class Agent>
Trainee trainee_of(Agent& agent) {
  Trainee trainee{.optimizers = optimizers_of(agent.configure_optimizers()), .set_mode = mode_of(agent)};
  if constexpr (std::derived_from<Agent, Module>) trainee.module = &agent;
  if constexpr (requires { static_cast<bool>(agent.automatic_optimization); }) trainee.automatic = agent.automatic_optimization;
  return trainee;
}

}  // namespace detail

class Trainer;

namespace detail {
class Journal;
TGD_API Journal& journal_of(Trainer& trainer);
}  // namespace detail

/// The training loop with validation, limits, early stopping, the best parameters kept, and checkpoints from which a
/// killed run goes on.
///
///     struct Agent : Module {
///       std::optional<StepResult> training_step(Batch& batch);  // forward pass and evaluator; nullopt: skip
///       std::optional<StepResult> validation_step(Batch& batch);  // optional: else training_step
///       std::optional<StepResult> test_step(Batch& batch);        // optional: else the validation's
///       Prediction predict_step(Batch& batch);                    // optional, for predict()
///       std::shared_ptr<optim::Optimizer> configure_optimizers();  // or a std::vector of them
///       bool automatic_optimization = false;                      // optional: training_step calls backward and step itself
///     };
///     Trainer trainer({.max_epochs = 4, .run_folder = "runs/tickets"});
///     Agent agent(trainer.track(student));
///     trainer.options().backward.model = trainer.track(critic, "critic");
///     FitResult result = trainer.fit(agent, train_loader, validation_loader);
///
/// Validation and test run without gradients and in eval mode where the agent has one. They start every batch before they read
/// the first result, so that all samples are on their way at the same time.
///
/// A loader is a range of batches that can be walked over again: a DataLoader, a StreamLoader, a std::vector of batches. Of one
/// without size() nobody knows how long an epoch is: reports and Progress then say where a run is, but not of how many steps;
/// validation and test have about a thousand samples on their way at a time; a resumed run reads forward to its place.
///
/// With a run folder, which needs an agent that is a Module, fit() leaves there:
///
///     journal.jsonl     all that happened, from the first call on; it only grows, and all else is made of it
///     checkpoint.json   the state of the run after the last step or validation, and its place in the journal: one JSON
///                       document, written whole or not at all
///     metrics.jsonl     a line for each step and each validation
///     config.json       what the run was asked for
///     calls.jsonl       the ledger: a line for each call of a tracked model (tgd/lm/observed.hpp), complete when fit() returns
///     <parameter>.txt   the best values so far
///     run.lock          while a Trainer is at work there, which nobody else can be then
///
/// A file that somebody has changed stays as it is; what tgd would have written there goes to `<name>.new`.
/// They are for their user alone (mode 0600, a new folder 0700), and symbolic links in the folder are not followed.
/// A run that was killed goes on with fit(agent, train, validation, {.resume = true}): with the same replies it ends with the
/// same parameters, buffers, metrics and costs as one that was never interrupted, and no reply that had come is paid again.
/// What was on its way when the process died is paid all the same: see abandoned(). Replies that were of no use and ended the
/// run are asked for anew. Not restored is what the agent keeps outside of its parameters, buffers and optimizers.
///
/// Errors: what a step, a backward pass or the optimizer throws, with the epoch and step in front; the parameters are then the
/// best ones so far. ValueError for a checkpoint of another agent, for a parameter whose name can be no file's, and when the
/// run folder cannot be written; StateError when another Trainer is at work in it, which it names; the last checkpoint is whole
/// in any case. Thread-safety: one thread at a time for each object; callbacks run on the thread that calls. Model:
/// lightning.Trainer.
class TGD_API Trainer {
 public:
  explicit Trainer(TrainerOptions options = {});
  ~Trainer();
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;

  /// The same model, for the agent and its optimizers to use: its calls, tokens and cost count for the limits and the result,
  /// and with a run folder its replies go into the journal. `name` tells models apart in checkpoints; by default it is the
  /// model's. Throws ValueError for no model and a name that is taken, StateError while fit() runs.
  lm::ChatModelPtr track(lm::ChatModelPtr model, std::string name = {});
  /// For what is known only after track(), such as backward.model. Not to be changed while fit() runs.
  TrainerOptions& options() noexcept;
  /// Makes the run folder where there is none, and keeps it for this Trainer until what is returned goes away; fit() does so by
  /// itself. For programs that write files of their own there before fit(). Throws StateError, with who has it, when another
  /// Trainer, of this process or another, is at work in it. Reading a run needs none of this.
  std::shared_ptr<const void> hold_run_folder();
  /// Opens the journal in the run folder, which has to be held, before fit(), so that what tracked models are asked from now on is in
  /// it as well. `resume`: whether the run that is there is gone on with. Throws ValueError when it cannot be.
  void open_journal(bool resume = false);
  /// What the tracked models have used.
  lm::CostReport usage() const;
  /// What else was paid: calls that were on their way, or whose replies had no use any more, when a process of the run died. Those
  /// that came to no end are estimated.
  lm::ModelCost abandoned() const;

  /// Trains until max_epochs or a limit. With validation data it validates before the first step, too, and at the end, and
  /// after an error, the parameters are those of the best validation.
  template <class Agent, class Train, class Validation>
  FitResult fit(Agent& agent, const Train& train, const Validation& validation, const FitOptions& options = {}) {
    return run(detail::trainee_of(agent), training_pass(agent, train), validation_pass(agent, validation), options);
  }
  template <class Agent, class Train>
  requires(!std::same_as<Train, FitOptions>) FitResult fit(Agent& agent, const Train& train, const FitOptions& options = {}) {
    return run(detail::trainee_of(agent), training_pass(agent, train), std::nullopt, options);
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

  /// What predict_step() returns for each batch, in order. All batches are started before anything is read.
  template <class Agent, class Loader>
  auto predict(Agent& agent, const Loader& loader) {
    const NoGradGuard no_grad;
    detail::mode_of(agent)(false);
    using Batch = detail::writable_t<std::remove_reference_t<decltype(*loader.begin())>>;
    std::vector<std::remove_cvref_t<decltype(agent.predict_step(std::declval<std::add_lvalue_reference_t<Batch>>()))>>
        predictions;
    for (auto&& given : loader) {
      Batch batch = given;
      predictions.push_back(agent.predict_step(batch));
    }
    return predictions;
  }

 private:
  friend detail::Journal& detail::journal_of(Trainer& trainer);
  struct Impl;

  template <class Agent, class Loader>
  static detail::Pass training_pass(Agent& agent, const Loader& loader) {
    return detail::pass_over(loader, [&agent](auto& batch) { return agent.training_step(batch); });
  }
  template <class Agent, class Loader>
  static detail::Pass validation_pass(Agent& agent, const Loader& loader) {
    return detail::pass_over(loader, [&agent](auto& batch) { return detail::validation_step(agent, batch); });
  }

  FitResult run(const detail::Trainee& trainee, const detail::Pass& train, const std::optional<detail::Pass>& validation,
                const FitOptions& options);
  Metrics measure(const std::function<void(bool)>& set_mode, const detail::Pass& pass) const;

  std::unique_ptr<Impl> impl_;
};

}  // namespace tgd
