// A metric of the user's own as a command, in any language.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/cognitive/evaluator.hpp>
#include <tgd/export.hpp>

namespace tgd {

/// A command and how it is run.
struct CommandOptions {
  std::vector<std::string> run = {};  ///< the program, looked for in PATH unless it has a slash, and its arguments
  std::filesystem::path folder = {};  ///< where it runs; empty: where this process does
  std::size_t workers = 1;            ///< processes of it at the same time, each with many items in flight
  double timeout_seconds = 60;        ///< that a process may take for an answer
  /// Its environment beside PATH, HOME and LANG: it gets nothing else, keys in particular.
  std::vector<std::pair<std::string, std::string>> env = {};
};

/// What a command's scores mean.
struct CommandScoring {
  EvaluatorOptions evaluator = {};
  /// No score may be better. It needs no feedback, where EvaluatorOptions::success is not given.
  double best_score = 1;
};

/// Scores predictions by a command that lives as long as this object. For each item it gets one line on its standard input,
///
///     {"id": 7, "prediction": "…", "target": "…", "sample": {"file": "data.csv", "row": 3, "line": 5}, "inputs": {"question": "…"}}
///
/// and answers, in any order, with one line on its standard output:
///
///     {"id": 7, "score": 0.5, "feedback": "the unit is missing"}
///
/// "feedback" may be left out; else it is what the prediction is told. "target" and "sample" are null where there is none.
///
/// A process that dies, is silent for too long or writes anything else is replaced, and what was in flight is asked again. An item
/// that brings its process down several times, or whose score is none, cannot be scored: see EvaluatorOptions::on_error. A command
/// that cannot be started fails the operation. Errors: ValueError for options that cannot be meant, else where the score is read.
/// Items that are in flight when the object ends fail. Thread-safety: every member may be called from any thread.
class TGD_API CommandEvaluator {
 public:
  explicit CommandEvaluator(CommandOptions options);
  ~CommandEvaluator();
  CommandEvaluator(const CommandEvaluator&) = delete;
  CommandEvaluator& operator=(const CommandEvaluator&) = delete;

  Evaluation operator()(const Variable& prediction, const std::optional<Input>& target = std::nullopt,
                        const Inputs& inputs = {}, CommandScoring scoring = {}, Place place = Place::here()) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace tgd
