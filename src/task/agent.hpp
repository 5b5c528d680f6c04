// TaskAgent: the program that a task file describes. For each sample one call of a model a stage, built from the stage's
// messages, or of a command; and an evaluator; the parameters are what is optimized.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/cognitive/command_function.hpp>
#include <tgd/cognitive/module.hpp>
#include <tgd/optim.hpp>
#include <tgd/prompts.hpp>
#include <tgd/trainer.hpp>
#include <tgd/variable.hpp>

#include "cognitive/command_calls.hpp"
#include "task/data.hpp"
#include "task/models.hpp"
#include "task/output.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// tgd's own texts, and those that the task uses instead. Throws TaskError for a folder that holds something else.
Prompts load_prompts(const Task& task);

/// Parameters' names and values, in the order of the task.
using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// {"instructions": "…", …}
OrderedJson as_object(const NamedValues& values);

/// Figures of one metric, by position; nothing where a sample has none.
using MetricValues = std::vector<std::optional<double>>;
/// By name.
using SampleMetrics = std::map<std::string, MetricValues>;
/// Adds what one sample has, the one at `position`.
void add_metrics(SampleMetrics& all, std::size_t position, const std::map<std::string, double>& of_sample);
/// Over the samples that have it; nothing where none has.
std::optional<double> mean_of(const MetricValues& values);

/// The outcomes of samples, by position. `rows` are their numbers in the data file.
struct SampleResults {
  std::vector<std::size_t> rows = {};
  std::vector<std::string> predictions = {};
  std::vector<double> scores = {};
  SampleMetrics metrics = {};                            ///< beside the scores
  std::map<std::size_t, Problem> problems = {};          ///< by row
  std::map<std::size_t, std::string> replies = {};       ///< by row: the last stage's, where the prediction is not all of it
  std::map<std::size_t, std::string> explanations = {};  ///< by row: what the evaluator says of an answer below the best score
};

/// What a stage made of a batch.
struct StageResult {
  std::string name;
  Variable reply;
  Variable output;
};

/// What became of one sample.
struct Answer {
  NamedValues outputs = {};                    ///< by stage
  std::optional<std::string> prediction = {};  ///< the last stage's output; nothing where none came
  std::optional<Problem> problem = {};         ///< of the sample; the output is then what came, and no later stage was run
  std::string stage = {};                      ///< where the problem arose

  /// Whether there was no reply that could have been read.
  bool is_unanswered() const { return problem && problem->is_failure && !problem->cause.empty(); }
  /// With the stage in front. There has to be one.
  std::string problem_text() const { return stage + ": " + problem->text; }
};

/// Adds "prediction", "outputs" where there are several stages, "problem", and "error" where there was no reply to read.
void add_answer(OrderedJson& line, const Answer& answer);
/// {"kind": "filtered", "text": "…"}
OrderedJson problem_json(const Problem& problem);

/// How many samples had which problem.
class ProblemCounts {
 public:
  void add(const Problem& problem);
  bool any() const { return !counts_.empty() || cut_by_task_ > 0; }
  /// Without those whose reply was cut by a limit of the task.
  std::size_t failed() const;
  /// "3 samples failed (2 filtered, 1 cut), 1 reply was cut by the task's limit"
  std::string text() const;
  /// {"filtered": 2, "cut": 1, "cut_by_task": 1}
  OrderedJson json() const;

 private:
  std::map<std::string, std::size_t> counts_;
  std::size_t cut_by_task_ = 0;
};

/// Waits for one sample. Throws what is not its own fault, as a wrong key, an outage and a used-up budget are: that ends a run.
Answer answer_of(const std::vector<StageResult>& stages, std::size_t sample = 0);

/// The purpose of a stage's calls that is a command.
inline constexpr const char* command_purpose = detail::command_purpose;
/// What a command might answer, asked for an output or for feedback.
std::string command_answer(const std::string& output);

class TaskAgent final : public Module {
 public:
  TaskAgent(const Task& task, NamedModels models, Prompts prompts);

  /// Starts all stages. The last one's output is the prediction.
  std::vector<StageResult> run(const Batch& batch) const;
  Evaluation evaluate(const Batch& batch, const Variable& prediction) const;
  std::optional<StepResult> training_step(Batch& batch);
  /// Keeps what becomes of each sample, for results().
  std::optional<StepResult> validation_step(Batch& batch);
  std::shared_ptr<optim::Optimizer> configure_optimizers() { return optimizer_; }
  /// Whether nothing speaks against a value of a parameter.
  bool may_be(const Variable& parameter, const std::string& value) const;
  /// What the optimizer's model is told besides feedback.
  void set_facts(const optim::DiagnosisOptions& facts);

  /// What validation_step() found since the last call, with the present values. Waits. What it found with other values is
  /// dropped.
  SampleResults take_results();
  /// What became of the batch of the last training_step() that was the first since the last call: the one that a step learns from.
  /// Waits.
  SampleResults take_batch();

  NamedValues values() const;
  /// Throws ValueError for a name that is no parameter.
  void set_values(const NamedValues& values);

 private:
  struct Stage {
    std::string name;
    lm::ChatModelPtr model;
    Messages messages;
    Inputs filled_in;                       // the parameters that stand inside other text of a message
    std::vector<std::string> placeholders;  // of inputs and earlier stages
    Json args;
    std::shared_ptr<const OutputParser> parser;
    OnError on_error;
    StageSpec::Kind kind;
    std::string description;
    std::vector<std::string> inputs;      // of a command
    std::vector<std::string> parameters;  // of an agent
    bool answers_feedback;
  };
  struct Kept {
    NamedValues values;
    Variable rows;
    Variable reply;
    Variable prediction;
    Evaluation evaluation;
  };

  Stage make_stage(const Task& task, std::size_t number) const;
  /// Runs and evaluates a batch.
  Kept measured(const Batch& batch) const;
  void add(const Kept& kept, SampleResults& results) const;
  using Known = std::map<std::string, Variable>;
  Variable reply_of(const Stage& stage, const Known& known) const;
  FeedbackOptions feedback_options() const;
  Variable reply_of_model(const Stage& stage, const Known& known) const;
  NamedInputs named(const std::vector<std::string>& names, const Known& known) const;
  Variable content(const std::string& text, Inputs& filled_in) const;

  NamedModels models_;
  Prompts prompts_;
  EvaluatorSpec evaluator_;
  OnError on_error_;
  std::optional<std::size_t> context_budget_;  // of requests for feedback
  std::optional<std::size_t> samples_per_request_;
  std::vector<Stage> stages_;
  std::vector<Kept> kept_;
  std::optional<Kept> batch_;  // of a training step
  std::shared_ptr<optim::TGD> optimizer_;
};

}  // namespace tgd::cli
