// Prompts as the command line names them: values for a task's parameters, out of a run or a file.
// Errors: TaskError.
#pragma once

#include <string>

#include "task/agent.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// For the help of the commands that take one.
inline constexpr const char* prompt_spec_help =
    "\"first\" (the task's own values), the folder of a run (its best), a parameters.json or checkpoint.json, a text file (of "
    "a task "
    "with one parameter), or NAME=FILE for one parameter";

struct NamedPrompt {
  std::string name;    ///< as it was given
  NamedValues values;  ///< of all parameters, in the order of the task
};

NamedPrompt read_prompt(const std::string& spec, const Task& task);

}  // namespace tgd::cli
