// What a data file tells about the task that it was made for: which field is the expected answer, which are the inputs, and how
// an answer is compared. Guesses, each with its reason: `tgd init` shows them, and people correct them.
// Errors: TaskError that says what the file lacks or which flag helps, with file and line for a malformed one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/init/survey.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// Whether columns are often called so.
bool is_usual_name(const std::string& name);

struct InitWishes {
  std::optional<std::string> target = {};
  std::vector<std::string> inputs = {};
  std::string encoding = {};  ///< of the file; empty: a guess
  std::string model = {};     ///< of the task; empty: the simulated one
  std::string base_url = {};
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
  DataFileOptions options = {};  ///< as the file is read
  std::string model = {};        ///< as wished
  std::string base_url = {};
  std::string system_text = {};         ///< of chats that all begin with the same one
  std::vector<std::string> notes = {};  ///< what was found out about the file
};

/// `on_progress(rows)` is called now and then while the file is read.
InitGuess guess_task(const std::filesystem::path& file, const InitWishes& wishes,
                     const std::function<void(std::size_t)>& on_progress = {});

/// A placeholder for a field of any name: "Größe (cm)" is {groesse_cm}.
std::string placeholder_for(const std::string& name);

/// The starter task that follows from it, with a comment for each section. `task`: where it is going to lie.
std::string starter_task(const InitGuess& guess, const std::filesystem::path& task);

}  // namespace tgd::cli
