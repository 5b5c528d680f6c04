// What a data file tells about the task that it was made for: which field is the expected answer, which are the inputs, and how
// an answer is compared. Guesses, each with its reason: `tgd init` shows them, and people correct them.
// Errors: TaskError that says what the file lacks or which flag helps, with file and line for a malformed one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "task/task.hpp"

namespace tgd::cli {

/// A field of the data with what its values look like.
struct Column {
  std::string source;  ///< as task files name it: a column, a member, or a JSON pointer
  std::size_t mean_length = 0;
  std::size_t longest = 0;
  bool is_number = false;  ///< every value
  bool is_json = false;    ///< every value is a JSON object
  std::size_t distinct = 0;
  std::vector<std::string> labels = {};  ///< the values by name, where they are few and short
  std::string example = {};              ///< the first value

  /// The last part of the source.
  std::string name() const;
  bool has_labels() const { return !labels.empty(); }
};

struct InitWishes {
  std::optional<std::string> target = {};
  std::vector<std::string> inputs = {};
};

struct InitGuess {
  std::filesystem::path file;
  std::size_t samples = 0;
  Column target;
  std::string why_target;
  std::vector<std::pair<std::string, Column>> inputs;              ///< by placeholder
  std::vector<std::pair<std::string, std::string>> left_out = {};  ///< source, reason
  EvaluatorSpec::Type evaluator = EvaluatorSpec::Type::exact_match;
  std::string why_evaluator = {};
};

InitGuess guess_task(const std::filesystem::path& file, const InitWishes& wishes);

/// A placeholder for a field of any name: "Größe (cm)" is {groesse_cm}.
std::string placeholder_for(const std::string& name);

/// The starter task that follows from it, with a comment for each section. `task`: where it is going to lie.
std::string starter_task(const InitGuess& guess, const std::filesystem::path& task);

}  // namespace tgd::cli
