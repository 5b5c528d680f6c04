// Task: what a task file asks for, checked as far as that is possible without the data and the models.
//
//   {
//     "$schema": "…",                                                       // for editors; `tgd schema` prints it
//     "name": "tickets",
//     "data": {"file": "tickets.jsonl", "inputs": {"ticket": "text"}, "target": "label",
//              "split": {"train": 0.4, "validation": 0.25, "test": 0.35, "seed": 1, "stratify": true}},
//                                              // or "train": "a.jsonl", "validation": "b.jsonl", "test": "c.jsonl"
//     "parameters": {"instructions": {"role": "…", "value": "…", "instructions": "…", "frozen": ["…"], "requires": ["…"]}},   // or "file": "prompt.txt"
//     "messages": [{"role": "system", "content": "{instructions}"}, {"role": "user", "content": "{ticket}"}],
//     "output": [{"json_pointer": "/label"}, "lower_case"],
//                                              // or several stages, each of which may use the outputs of earlier ones by name:
//     "stages": [{"name": "facts", "messages": […]}, {"name": "label", "model": "large", "messages": […], "args": {…}, "output": […]}],
//                                              // a stage can be a command, and so can the whole program:
//     "stages": [{"name": "hits", "run": ["python3", "search.py"], "inputs": ["question"], "description": "…"}, …],
//     "agent": {"run": ["./my_agent"], "parameters": ["plan", "answer"]},
//     "evaluator": {"type": "exact_match"},
//     "report_metrics": ["f1", "auc", "correlation"],                       // of whole parts; see set_metrics.hpp
//     "models": {"student": "openai/gpt-4o-mini", "teacher": {"provider": "openai", "model": "gpt-4o", "args": {…}}},
//     "optimizer": {"type": "tgd", "step": "critique", "momentum": 3, "constraints": ["…", {"max_length": 1500}]},
//     "training": {"epochs": 4, "batch_size": 16, "seed": 7, "validate_every": 0, "max_steps": 0,
//                  "early_stopping": {"patience": 3, "min_delta": 0.0}, "gate": {"confidence": 0.8, "proposals": 2},
//                  "free_proposals": true},   // instead of the gate: "search": {"chain": 3, "proposals": 2, "confirm": 30}
//     "budget": {"calls": 5000, "prompt_tokens": …, "completion_tokens": …, "usd": 2.5, "seconds": 3600},
//     "cache": "replies.db",
//     "prompts": "my-prompts",
//     "on_error": "keep"                                                    // a sample that fails is counted as wrong; or "fail"
//   }
//
// `inputs` names what a placeholder stands for and the field of the data that it comes from. {name} in a message stands for an
// input, a parameter or the output of an earlier stage; a text that is nothing but {parameter} is that parameter itself, which
// may have placeholders of its own. The student answers; the teacher criticises and rewrites, and is the student unless it is
// given; the judge, which an evaluator of the type "judge" asks, is the teacher unless it is given; stages may name further
// models. Without models the simulated one plays all roles. ${NAME} in "base_url" and "api_key" stands for a variable of the
// environment. Errors: TaskError with file, line, pointer, what was found and what is accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/cognitive/command_evaluator.hpp>
#include <tgd/command.hpp>
#include <tgd/json.hpp>
#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/prices.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/optim.hpp>
#include <tgd/trainer.hpp>

#include "cognitive/score_scale.hpp"
#include "core/number_text.hpp"
#include "task/document.hpp"

namespace tgd::cli {

/// Kept with what was read from it, so that later mistakes, too, can be shown at their place.
struct DataSpec {
  TaskValue place;
  std::filesystem::path file = {};  ///< empty: a file for each part
  std::filesystem::path train_file = {};
  std::filesystem::path validation_file = {};
  std::filesystem::path test_file = {};
  std::vector<std::pair<std::string, std::string>> inputs = {};  ///< placeholder, field
  std::string target = {};                                       ///< field; empty: none
  double train = 0;                                              ///< shares of the whole
  double validation = 0;
  double test = 0;
  std::uint64_t seed = 0;
  bool stratify = true;
  std::string group_by = {};              ///< field; samples that agree in it stay in one part
  std::string encoding = {};              ///< of the files; empty: UTF-8, or what their first bytes say
  std::vector<std::string> columns = {};  ///< of files without a header line
  std::optional<std::size_t> train_limit = {};
  std::optional<std::size_t> validation_limit = {};
  std::optional<std::size_t> test_limit = {};

  bool has_target() const { return !target.empty(); }
};

struct ParameterSpec {
  std::string name;
  std::string role;
  std::string value;
  std::string instructions = {};           ///< for the teacher, when it rewrites this one
  std::vector<std::string> frozen = {};    ///< parts that stay as they are
  std::vector<std::string> required = {};  ///< "requires": texts that every new value contains
};

struct MessageSpec {
  std::string role;
  std::vector<std::string> content;
};

/// One step from a reply to an output.
struct OutputStep {
  enum class Kind {
    text,          ///< the reply without white space around it; every chain begins so
    lower_case,    ///< of every script
    number,        ///< the last number in the reply, in plain digits; see core/number_text.hpp
    comma_number,  ///< the same where a comma is the decimal mark
    fenced_json,   ///< the JSON in the reply, out of code fences or prose, as compact text
    json_pointer,  ///< a member of the JSON in the reply; `argument` is the pointer
    regex          ///< the first group of the first match in the whole reply, or the whole match; `argument` is the
                   ///< pattern (RE2 syntax)
  };
  Kind kind = Kind::text;
  std::string argument = {};
};

/// A header, a part of a query, or a variable of a command's environment.
struct NamedSetting {
  std::string name;
  std::string value = {};   ///< may hold variables of the environment; then never written anywhere
  std::string source = {};  ///< as the file has it
};

/// A command of the user's own: see tgd/command.hpp.
struct CommandSpec {
  std::vector<std::string> run = {};
  std::filesystem::path folder = {};  ///< where it runs
  std::size_t workers = 1;            ///< processes of it
  std::optional<double> timeout_seconds = {};
  std::optional<std::size_t> max_in_flight = {};  ///< of each process
  double usual_timeout = 60;                      ///< where that is not said
  std::size_t usual_in_flight = 256;              ///< the same
  bool is_deterministic = false;
  std::vector<NamedSetting> env = {};

  /// `error_file`: empty, or where its standard error goes.
  CommandOptions options(std::filesystem::path error_file = {}) const;
};

/// What is done for each sample.
struct StageSpec {
  enum class Kind {
    model,    ///< a call of a model
    command,  ///< a function by command: see tgd/cognitive/command_function.hpp
    agent     ///< a whole program by command, the only stage of a task: see tgd/cognitive/command_agent.hpp
  };
  std::string name;  ///< the placeholder that later stages use for its output
  /// Who answers, among the task's models; of a command a name that no model of a task can have.
  std::string model = "student";
  std::vector<MessageSpec> messages;
  Json args = {};
  std::vector<OutputStep> output = {OutputStep{}};
  std::optional<OnError> on_error = {};  ///< over that of the task
  Kind kind = Kind::model;
  CommandSpec command = {};
  std::string description = {};  ///< of what a command does, for the critic
  std::vector<std::string> inputs =
      {};  ///< of a command: inputs of the data, parameters and earlier stages; of an agent: inputs
  std::vector<std::string> parameters = {};  ///< of an agent
  bool answers_feedback = false;             ///< a command itself says how its inputs should change
  bool has_proxy = false;                    ///< an agent's own calls go through tgd: see proxy.hpp
};

struct EvaluatorSpec {
  enum class Type {
    exact_match,
    contains,     ///< the target stands in the output
    number,       ///< the last number of the output is that of the target within `tolerance`
    json_fields,  ///< the share of `fields` in which the JSON in the output equals the target, which is JSON; lists by `lists`
    f1,           ///< the harmonic mean of precision and recall of the words; of characters, where no blanks part words
    judge,        ///< a model judges
    command       ///< a command measures: see tgd/cognitive/command_evaluator.hpp
  };
  Type type = Type::exact_match;
  /// What a list of the answer is worth beside the expected one.
  enum class Lists {
    f1,         ///< the harmonic mean of precision and recall of the items, whatever their order
    precision,  ///< the share of the answer's items that are expected
    recall,     ///< the share of the expected items that the answer has
    exact_set,  ///< 1 where both have the same items, whatever their order
    in_order    ///< the share of places that are equal
  };
  bool ignore_case = false;                                       ///< and width, and style
  double tolerance = 0;                                           ///< of the number, absolute
  detail::DecimalMark decimal_mark = detail::DecimalMark::point;  ///< how "1,200" and "1.200" are read
  Lists lists = Lists::f1;                                        ///< in JSON
  std::vector<std::string> fields = {};                           ///< JSON pointers; empty: all members of the target
  std::string model = "judge";
  Json args = {};                          ///< of the judge's requests
  std::vector<MessageSpec> messages = {};  ///< of the judge; {prediction}, {target} and the inputs stand there
  double best_score = 1;                   ///< what needs no feedback
  std::optional<double> worst_score = {};  ///< of a sample with a problem
  bool higher_is_better = true;
  bool critique_by_lm = false;  ///< the teacher words the feedback instead of the evaluator
  CommandSpec command = {};
  std::string optimize = {};  ///< which of the metrics of a command's answer is its score; empty: its "score"
  /// What tgd measures of each answer beside its score: "length" and "words" of it, or what another evaluator would give it.
  std::vector<std::string> metrics = {};
  std::map<std::string, Limits> keep = {};  ///< limits on means of metrics, by name: see TrainerOptions::keep
  /// The command's processes: one set for all that has been copied from the task. make_models() makes it; without it every
  /// answer counts as wrong.
  std::shared_ptr<const CommandEvaluator> metric = {};

  /// Whether somebody else than tgd decides what an answer is worth: then there need be no target, and none is known to be right.
  bool is_judged() const { return type == Type::judge || type == Type::command; }

  detail::ScoreScale scale() const { return {best_score, higher_is_better}; }
};
/// As a task file has it.
const std::string& name_of(EvaluatorSpec::Type type);

struct ModelSpec {
  std::string place;  ///< file:line: /pointer, for errors
  std::string provider = "simulated";
  std::string model = {};
  std::string base_url = {};
  std::string base_url_source = {};  ///< as the file has it, variables and all; empty: `base_url` came from elsewhere
  std::string api_key = {};          ///< from the environment; never written anywhere
  std::string api_key_source = {};   ///< as the file has it: "${NAME}"
  Json args = {};
  std::optional<std::size_t> max_in_flight = {};
  std::optional<std::int64_t> requests_per_minute = {};
  std::optional<std::int64_t> tokens_per_minute = {};
  std::optional<double> timeout_seconds = {};
  std::optional<int> max_retries = {};
  std::optional<double> max_retry_after_seconds = {};
  std::optional<double> max_retry_time_seconds = {};
  std::vector<NamedSetting> headers = {};
  std::vector<NamedSetting> secret_headers = {};
  std::vector<NamedSetting> query = {};
  std::optional<lm::Thoughts> reasoning = {};
  std::optional<bool> system_role = {};
  std::optional<lm::Price> price = {};
  lm::SimulatedOptions simulated = {};
};

struct OptimizerSpec {
  std::size_t momentum = 0;
  std::size_t max_reasks = 2;
  bool show_context = true;
  std::optional<std::size_t> context_budget = {};
  std::optional<std::size_t> samples_per_request = {};
  bool joint = false;
  std::optional<optim::Boldness> boldness = {};
  std::optional<double> max_length_ratio = {};
  std::size_t rejected = 3;
  std::size_t copied_words = 8;
  autograd::Step step = autograd::Step::critique;
  std::vector<std::string> examples = {};
  Json args = {};
  std::vector<optim::Constraint> constraints = {};
  OrderedJson constraints_source = OrderedJson::array();  ///< as the file has them
};

struct TrainingSpec {
  std::size_t epochs = 4;
  std::size_t batch_size = 16;
  std::uint64_t seed = 0;
  std::size_t validate_every = 0;
  std::size_t max_steps = 0;
  EarlyStopping early_stopping = {};
  Gate gate = {};
  Search search = {};  ///< its seed is that of the training
  std::optional<double> max_failed = {};
  bool free_proposals = true;  ///< what code can write is tried before the first step
};

/// What is measured on a whole part: see set_metrics.hpp.
enum class SetMetric { f1, auc, correlation, rank_correlation, mean_absolute_error };

struct Task {
  std::filesystem::path file;
  std::string name;
  DataSpec data;
  std::vector<ParameterSpec> parameters;
  std::vector<StageSpec> stages;  ///< in the order of their calls; the last one's output is the prediction
  EvaluatorSpec evaluator;
  std::vector<SetMetric> report_metrics = {};
  std::map<std::string, ModelSpec> models;  ///< by role; "student" is always there
  OptimizerSpec optimizer;
  TrainingSpec training;
  lm::BudgetLimits budget;
  std::optional<std::filesystem::path> cache;
  std::optional<std::filesystem::path> prompts;  ///< texts to use instead of tgd's own
  OnError on_error = OnError::keep;              ///< of a sample that fails by its own fault: see tgd/problem.hpp
  OrderedJson json;                              ///< as written
};

Task read_task(const std::filesystem::path& file);
Task parse_task(const TaskDocument& document, const std::filesystem::path& file);

/// The task with files' contents and all settings in place, as JSON that could be given to the program again.
OrderedJson resolved_json(const Task& task);
/// The same for a file in this folder: its paths start there, so that both can be moved together.
OrderedJson resolved_json(const Task& task, const std::filesystem::path& folder);

}  // namespace tgd::cli
