// The three parts of a task's data.
// Errors: TaskError at the place in the task file that has to change.
#pragma once

#include <map>
#include <string>

#include <tgd/data/dataset.hpp>
#include <tgd/data/records.hpp>
#include <tgd/variable.hpp>

#include "cli/task.hpp"

namespace tgd::cli {

/// The name under which samples hold the expected answer. No input can have it.
inline constexpr const char* target_name = "/target";

using DataPart = data::Subset<data::Records>;
/// What a DataLoader makes of samples: inputs and target by name.
using Batch = std::map<std::string, Variable>;

struct TaskData {
  DataPart train;
  DataPart validation;
  DataPart test;

  std::size_t size() const { return train.size() + validation.size() + test.size(); }
};

TaskData load_data(const DataSpec& spec);

}  // namespace tgd::cli
