// What a step says of its batch, and what a run says of its steps, measurements and itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/cognitive/evaluator.hpp>
#include <tgd/lm/cost.hpp>
#include <tgd/optim/tgd.hpp>
#include <tgd/train/search.hpp>

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
  std::size_t failed = 0;                    ///< of them, by their own fault (Problem::is_failure); they score worst
  std::map<std::string, double> named = {};  ///< each over the samples that have it
};

/// What the mean of a named metric has to keep within.
struct Limits {
  std::optional<double> min = {};
  std::optional<double> max = {};
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
  std::optional<double> confidence = {};  ///< between 0 and 1, such as 0.8; nothing: no gate
  std::size_t proposals = 1;              ///< drawn for each step and tried one by one; the best goes on
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
  /// Of the last comparison: how likely chance alone would give as large a gain, or loss with GateRule::not_worse.
  double p_value = 1;
};

/// Values of parameters that somebody has written before the first step, such as optim::free_proposals().
struct FirstProposal {
  std::string name = {};  ///< for people
  std::vector<optim::Suggestion> values = {};
};

/// How the first proposals did. The race is the first step of a run, before its first batch, and does not count for max_steps:
/// all are tried on an eighth of the validation part, the better half of them on a quarter, the best one on all of it. That one
/// is taken if it is better than the present values, by the gate where there is one, else by the mean; then it is the run's first new version, and else nothing has
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
  std::optional<SearchReport> search = {};
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
  /// Strictly better than every validation before; with a search, the winner of a race, which may have ended early, or at the
  /// end of the run the first values (step 0) where these are kept.
  bool is_best = false;
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

}  // namespace tgd
