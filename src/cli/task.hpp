// Task: what a task file asks for, checked as far as that is possible without the data and the models.
//
//   {
//     "name": "tickets",
//     "data": {"file": "tickets.jsonl", "inputs": {"ticket": "text"}, "target": "label",
//              "split": {"train": 0.4, "validation": 0.25, "test": 0.35, "seed": 1, "stratify": true}},
//     "parameters": {"instructions": {"role": "…", "value": "…"}},         // or "file": "first-prompt.txt"
//     "messages": [{"role": "system", "content": "{instructions}"}, {"role": "user", "content": "{ticket}"}],
//     "evaluator": {"type": "exact_match"},
//     "models": {"student": "openai/gpt-4o-mini", "teacher": {"provider": "openai", "model": "gpt-4o", "args": {…}}},
//     "optimizer": {"type": "tgd", "momentum": 3, "constraints": ["…", {"max_length": 1500}]},
//     "training": {"epochs": 4, "batch_size": 16, "seed": 7, "validate_every": 0}
//   }
//
// `inputs` names what a placeholder stands for and the field of the data that it comes from. {name} in a message stands for an
// input or a parameter; a text that is nothing but {parameter} is that parameter itself, which may have placeholders of its own.
// The student answers; the teacher criticises and rewrites, and is the student unless it is given. Without models the simulated
// one plays both.
// Errors: TaskError with file, line, pointer, what was found and what is accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/json.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/optim.hpp>

#include "cli/task_document.hpp"

namespace tgd::cli {

/// Kept with what was read from it, so that later mistakes, too, can be shown at their place.
struct DataSpec {
  TaskValue place;
  std::filesystem::path file = {};
  std::vector<std::pair<std::string, std::string>> inputs = {};  ///< placeholder, field
  std::string target = {};                                       ///< field
  double train = 0;                                              ///< shares of the whole
  double validation = 0;
  double test = 0;
  std::uint64_t seed = 0;
  bool stratify = true;
};

struct ParameterSpec {
  std::string name;
  std::string role;
  std::string value;
};

struct MessageSpec {
  std::string role;
  std::vector<std::string> content;
};

struct ModelSpec {
  std::string place;  ///< for errors
  std::string provider = "simulated";
  std::string model = {};
  std::string base_url = {};
  Json args = {};
  lm::SimulatedOptions simulated = {};
};

struct OptimizerSpec {
  std::size_t momentum = 0;
  std::size_t max_reasks = 2;
  bool show_context = true;
  Json args = {};
  std::vector<optim::Constraint> constraints = {};
};

struct TrainingSpec {
  std::size_t epochs = 4;
  std::size_t batch_size = 16;
  std::uint64_t seed = 0;
  std::size_t validate_every = 0;
};

struct Task {
  std::filesystem::path file;
  std::string name;
  DataSpec data;
  std::vector<ParameterSpec> parameters;
  std::vector<MessageSpec> messages;
  std::map<std::string, ModelSpec> models;  ///< by role; "student" is always there
  OptimizerSpec optimizer;
  TrainingSpec training;
  OrderedJson json;  ///< as written
};

Task read_task(const std::filesystem::path& file);
Task parse_task(const TaskDocument& document, const std::filesystem::path& file);

/// The task with files' contents and all settings in place, as JSON that could be given to the program again.
OrderedJson resolved_json(const Task& task);

}  // namespace tgd::cli
