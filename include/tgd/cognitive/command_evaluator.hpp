// A metric of the user's own as a command, in any language.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <tgd/cognitive/evaluator.hpp>
#include <tgd/command.hpp>
#include <tgd/export.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd {

/// What a command's scores mean.
struct CommandScoring {
  EvaluatorOptions evaluator = {};
  /// No score may be better. It needs no feedback, where EvaluatorOptions::success is not given.
  double best_score = 1;
  /// Which of the "metrics" of an answer is its score; empty: its "score".
  std::string optimize = {};
};

/// Scores predictions by a command that lives as long as this object. For each item it gets one line on its standard input,
///
///     {"id": 7, "prediction": "…", "target": "…", "sample": {"file": "data.csv", "row": 3, "line": 5}, "inputs": {"question": "…"}}
///
/// and answers, in any order, with one line on its standard output:
///
///     {"id": 7, "score": 0.5, "feedback": "the unit is missing", "metrics": {"length": 12}}
///
/// "feedback" may be left out; else it is what the prediction is told. "metrics", too: further numbers, which the score's
/// Variable::metrics() has. "target" and "sample" are null where there is none.
///
/// A process that dies, is silent for too long or writes anything else is replaced, and what was in flight is asked again. An item
/// that brings its process down several times, or whose score is none, cannot be scored: see EvaluatorOptions::on_error. A command
/// that cannot be started fails the operation. Errors: ValueError for options that cannot be meant, else where the score is read.
/// Items that are in flight when the object ends fail. Thread-safety: every member may be called from any thread.
class TGD_API CommandEvaluator {
 public:
  explicit CommandEvaluator(CommandOptions options);
  /// An lm::Command, or what stands before one: its questions are the requests' last messages. Throws ValueError without one.
  explicit CommandEvaluator(lm::ChatModelPtr command);
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
