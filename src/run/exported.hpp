// The prompt of a run for other programs: the request that it makes, and files that make the same one.
// Errors: TaskError for what cannot be exported.
#pragma once

#include <string>
#include <vector>

#include "task/agent.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// The request of one stage of a task, with room for its inputs.
struct ExportedRequest {
  std::string task;
  std::string stage;
  std::vector<std::string> inputs;  ///< that stand in it: the data's, then the outputs of earlier stages
  std::string body;                 ///< as it is posted, with input_mark(name) in place of each input
  ModelSpec model;
  std::vector<OutputStep> output;  ///< what tgd does with the reply
};

/// Stands for an input in a body.
std::string input_mark(const std::string& name);

/// What TaskAgent sends with these values. `stage` may be empty where there is only one.
ExportedRequest exported_request(const Task& task, const NamedValues& values, const std::string& stage);

/// The values as text; with their names above where there are several.
std::string prompt_text(const NamedValues& values);

/// The messages as the API takes them, with {name} in place of each input.
std::string openai_messages(const ExportedRequest& request);

/// A program in Python, which needs nothing else, and one in C++ with this library. Both post the bytes that tgd posts.
std::string python_program(const ExportedRequest& request);
std::string cpp_program(const ExportedRequest& request);

/// A configuration of promptfoo (https://www.promptfoo.dev/docs/configuration/reference/) with these samples as tests. `notes`:
/// what promptfoo does otherwise than tgd, for people.
std::string promptfoo_tests(const ExportedRequest& request, const Task& task, const DataPart& samples,
                            std::vector<std::string>& notes);

}  // namespace tgd::cli
