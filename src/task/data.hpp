// The three parts of a task's data.
// Errors: TaskError at the place in the task file that has to change.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tgd/data/records.hpp>
#include <tgd/variable.hpp>

#include "task/task.hpp"

namespace tgd::cli {

// Under these names samples hold the expected answer and their number in the file. No input can have them.
inline constexpr const char* target_name = "/target";
inline constexpr const char* row_name = "/row";

/// Some rows of a file. A sample holds its inputs, its target where the task has one, and its row, by name.
class DataPart {
 public:
  /// The records of these rows, in this order.
  DataPart(std::vector<data::Record> records, std::vector<std::size_t> rows);

  std::size_t size() const noexcept { return rows_.size(); }
  data::Record operator[](std::size_t i) const;
  const SampleOrigin& origin(std::size_t i) const { return records_->at(first_ + i).origin; }
  const std::vector<std::size_t>& rows() const noexcept { return rows_; }
  /// Some of them, which share the records.
  DataPart piece(std::size_t begin, std::size_t end) const;

 private:
  std::shared_ptr<const std::vector<data::Record>> records_;
  std::size_t first_ = 0;
  std::vector<std::size_t> rows_;
};

/// What a DataLoader makes of samples: inputs, target and row by name.
using Batch = std::map<std::string, Variable>;
/// All samples of a part.
Batch batch_of(const DataPart& part);
/// "data.jsonl, row 3 (line 4)"
std::string place_of(const Batch& batch, std::size_t sample);

struct TaskData {
  DataPart train;
  DataPart validation;
  DataPart test;
  std::vector<std::string> notes = {};  ///< what was left out, and what is odd about the samples: sentences for people

  std::size_t size() const { return train.size() + validation.size() + test.size(); }
  /// "train", "validation" or "test".
  const DataPart& part(const std::string& name) const;
};

/// Of a test part without a limit: more samples cost more calls and say hardly more.
inline constexpr std::size_t most_tested = 5000;

/// Samples without an answer, where the task has one, or without anything to read are left out. Those with the same inputs stay in
/// one part.
TaskData load_data(const DataSpec& spec);

}  // namespace tgd::cli
