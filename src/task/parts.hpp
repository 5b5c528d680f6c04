// The parts of a task file, as task.hpp shows them: each is described once (see task_members.hpp) for reading and writing. What
// a part says about another one is checked when all have been read.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "task/members.hpp"
#include "task/task.hpp"

namespace tgd::cli {

// ---- Names and paths -------------------------------------------------------------------------------------------------------

/// Fails for what cannot be a placeholder.
void expect_identifier(const TaskValue& place, const std::string& name);
/// The nearest text that can.
std::string as_identifier(const std::string& text, const std::string& fallback);
/// A file that is there.
std::filesystem::path existing_file(const TaskValue& value);
/// Absolute, or as seen from the folder of a WrittenPaths.
OrderedJson written_path(const std::filesystem::path& path);

/// While it lives, the paths that this thread writes start at a folder.
class WrittenPaths {
 public:
  explicit WrittenPaths(const std::filesystem::path& folder);
  ~WrittenPaths();
  WrittenPaths(const WrittenPaths&) = delete;
  WrittenPaths& operator=(const WrittenPaths&) = delete;
};

inline const Words<OnError>& policies() {
  static const Words<OnError> words{{"keep", OnError::keep}, {"fail", OnError::fail}};
  return words;
}

// ---- Parts -----------------------------------------------------------------------------------------------------------------

void describe_data(Members& in, DataSpec& data);
void check_data(DataSpec& data);

std::vector<ParameterSpec> read_parameters(const TaskValue& value);
OrderedJson written_parameters(const std::vector<ParameterSpec>& parameters);

std::vector<MessageSpec> read_messages(const TaskValue& value);
OrderedJson written_messages(const std::vector<MessageSpec>& messages);
/// "messages" and "output" for the only stage, or "stages", or "agent".
void describe_stages(Members& in, Task& task);
/// Also completes what stages say that are commands.
void check_stages(const TaskValue& root, Task& task);

void describe_command(Members& in, CommandSpec& command);
/// What is not said: it runs in the task file's folder.
void complete_command(const TaskValue& value, CommandSpec& command);

EvaluatorSpec read_evaluator(const TaskValue& value);
void describe_evaluator(Members& in, EvaluatorSpec& evaluator);
void check_evaluator(const TaskValue& value, const Task& task);

std::vector<SetMetric> read_set_metrics(const TaskValue& value);
OrderedJson written_set_metrics(const std::vector<SetMetric>& metrics);

/// {"name": "text with ${VARIABLES}"}. A literal that may be a secret is refused.
void describe_settings(Members& in, const std::string& key, std::vector<NamedSetting>& settings, bool are_secret);

std::map<std::string, ModelSpec> read_models(const TaskValue& value);
OrderedJson written_models(const std::map<std::string, ModelSpec>& models);
/// Every model that is named is there, and every one that is there is used.
void check_models(const TaskValue& root, const Task& task);

void describe_optimizer(Members& in, OptimizerSpec& optimizer);
void describe_training(Members& in, TrainingSpec& training);
/// A gate and a search exclude each other.
void check_training(const TaskValue& root, const TrainingSpec& training);
void describe_budget(Members& in, lm::BudgetLimits& limits);

/// What is no mistake and yet hardly meant, such as {{text}}, which leaves its outer braces in the prompt. Sentences.
std::vector<std::string> oddities_of(const Task& task);

/// Names are distinct, and each input, parameter and output is used where it is known.
void check_names(const TaskValue& root, const Task& task);

}  // namespace tgd::cli
