// Estimate: how many calls, tokens and USD a run takes, before any of it is paid. The task's stages, evaluator, backward pass and
// optimizer run over the real data with models that send nothing: the requests are those of the run, the replies stand-ins.
// Tokens are those of tgd/lm/tokens.hpp, corrected by what a trial call has shown.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/lm/prices.hpp>

#include "cli/trial.hpp"
#include "task/data.hpp"
#include "task/models.hpp"
#include "task/task.hpp"

namespace tgd::cli {

struct Amount {
  double calls = 0;
  double prompt_tokens = 0;
  double completion_tokens = 0;
};

/// By purpose ("forward", "backward", "optimize", "judge", …) and name of the model.
using Amounts = std::map<std::pair<std::string, std::string>, Amount>;
Amount total(const Amounts& amounts);

/// A run in numbers.
struct Schedule {
  std::size_t steps = 0;
  std::size_t validations = 0;
  std::size_t trained = 0;  ///< samples, each as often as it is seen
};
Schedule schedule_of(const TrainingSpec& training, std::size_t train_samples);

/// One way in which the run may go.
struct Scenario {
  const char* name;
  double failing;  ///< share of the training samples that need feedback
  double reasks;   ///< share of the allowed further requests for a usable new value that is used
  double gate;     ///< share of the validation part that a proposal is tried on
  double growth;   ///< tokens by which a prompt is longer in the end
};
/// Nothing fails; half of it does; everything does, and every new value is asked for as often as it may be.
const std::vector<Scenario>& scenarios();

struct Outlook {
  std::string scenario;
  Amounts all;
  Amounts measurements;               ///< those of them before and after training
  std::optional<lm::Cost> cost = {};  ///< nothing: a model has no price
  std::optional<lm::Cost> measurements_cost = {};
  /// How long it takes when as many calls as are in flight are answered as fast as one; nothing where no trial has shown it.
  std::optional<double> seconds = {};
};

/// One for each scenario, in their order.
std::vector<Outlook> estimate(const Task& task, const TaskData& data, const Models& models,
                              const std::vector<TrialCall>& trial);

/// What the task's budget means for a run: "the budget of 500 calls ends the run after about step 12 of 24". Empty: it lets it be.
std::string budget_text(const lm::BudgetLimits& limits, const Outlook& outlook, std::size_t steps);

/// How many calls it takes to measure some samples.
std::size_t calls_to_measure(const Task& task, std::size_t samples);

/// Whether the training part is measured before and after, which is for people alone: where calls are few they are for learning.
bool measures_train(const Task& task, const TaskData& data, const lm::BudgetLimits& limits);
/// The samples that are measured, then and after training.
std::size_t measured_samples(const Task& task, const TaskData& data, const lm::BudgetLimits& limits);

/// Why a new run cannot reach what it is for: a step that is validated, between two measurements. Empty: it can, or a cache that
/// answers some of it may answer the rest. Calls are counted, tokens and USD estimated, where a model has a price. Sends nothing.
std::string budget_problem(const Task& task, const TaskData& data, const ModelOptions& options);

/// Some samples of a part, evenly over it.
Batch batch_of(const DataPart& part, std::size_t count);

}  // namespace tgd::cli
