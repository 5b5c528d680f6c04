// The training loop: what a step says, what a run reports, and the Trainer.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/cognitive/module.hpp>
#include <tgd/export.hpp>
#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/prices.hpp>
#include <tgd/optim.hpp>
#include <tgd/train/callback.hpp>
#include <tgd/train/reports.hpp>
#include <tgd/train/search.hpp>
#include <tgd/train/trainee.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// Ends a run when validation has got no better for a while.
struct EarlyStopping {
  /// So many validations in a row without a new best, at least 1; nothing: never.
  std::optional<std::size_t> patience = {};
  double min_delta = 0;  ///< what a score has to be better by
};

/// What a run is to do. Everything may be left out; what contradicts itself is a ValueError of the Trainer's constructor or of
/// fit().
struct TrainerOptions {
  std::size_t max_epochs = 1;
  /// Validate after every so many steps, at least 1; nothing: after each epoch. The end of the last epoch is always validated.
  std::optional<std::size_t> validate_every = {};
  bool higher_is_better = true;
  autograd::BackwardOptions backward = {};
  std::vector<std::shared_ptr<TrainerCallback>> callbacks = {};

  // Limits: looked at between steps, with everything saved. Those of calls, tokens and cost count tracked models, over all the
  // sessions of a run; max_cost needs prices for all of them.
  std::optional<std::size_t> max_steps = {};                   ///< batches; a race is none
  std::optional<std::chrono::duration<double>> max_time = {};  ///< more than 0, and at most a year
  std::optional<std::int64_t> max_calls = {};
  std::optional<std::int64_t> max_tokens = {};  ///< prompt and completion
  std::optional<double> max_cost = {};          ///< USD
  EarlyStopping early_stopping = {};
  Gate gate = {};
  /// Limits on named metrics (Metrics::named), whose means over the validation part decide: values that break one are never
  /// better than values that keep all, and neither gate, race nor search takes them in their place. A metric that was not
  /// measured breaks none.
  std::map<std::string, Limits> keep = {};
  Search search = {};  ///< instead of a gate
  /// Whether so many calls more may be made, beside what else they are needed for: a search asks before it begins what it could not end.
  /// Not given: by max_calls, max_tokens and max_cost.
  std::function<bool(std::int64_t calls)> has_room = {};
  /// Raced before the first batch. The optimizers of their parameters have to be TGD, the evaluators have to give each sample its
  /// score, and the validation loader has to keep its order; in small batches it lets the race end early for most.
  std::vector<FirstProposal> first_proposals = {};
  std::stop_token stop = {};  ///< ends the run after the step under way, as a limit does
  /// The share of the samples that may fail by their own fault (see tgd/problem.hpp; chat_completion with OnError::keep) before
  /// the run ends with an error that names them. Each sample counts once. Nothing: all but all; a measurement in which every
  /// call fails is an error in any case.
  std::optional<double> max_failed = {};

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

class Trainer;

namespace detail {
class Journal;
Journal& journal_of(Trainer& trainer);
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
  /// What else was paid: calls that were on their way, or whose replies had no use any more, when a process of the run died, and
  /// those that an error cancelled on their way. What came to no end is estimated.
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
