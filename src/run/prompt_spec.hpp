// Prompts as the command line names them: values for a task's parameters, out of a run or a file.
// Errors: TaskError.
#pragma once

#include <string>
#include <vector>

#include "task/agent.hpp"
#include "task/models.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// For the help of the commands that take one.
inline constexpr const char* prompt_spec_help =
    "\"first\" (the task's own values), the folder of a run (its best, as its <parameter>.txt say), a parameters.json or "
    "checkpoint.json, a text file (of "
    "a task "
    "with one parameter), or NAME=FILE for one parameter";

struct NamedPrompt {
  std::string name;                      ///< as it was given
  NamedValues values;                    ///< of all parameters, in the order of the task
  std::vector<std::string> edited = {};  ///< files of the run that hold another text than the run left in them, which is used
};

/// A prompt is worth what it was found to be with the models that it was made with: those of the first run among the prompts, unless
/// the command line names others. Returns what to say of it; empty where nothing changed.
std::string use_models_of_run(const std::vector<std::string>& specs, const ModelFlags& flags, Task& task);

NamedPrompt read_prompt(const std::string& spec, const Task& task);

}  // namespace tgd::cli
