// A function of the user's own in the graph as a command, in any language: retrieval, the execution of code, a parser.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <tgd/cognitive/feedback_options.hpp>
#include <tgd/command.hpp>
#include <tgd/export.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/place.hpp>
#include <tgd/problem.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// What a command is given, by name: a scalar for all items, or a batch with one for each.
using NamedInputs = std::vector<std::pair<std::string, Variable>>;

/// How a function by command takes part in the graph.
struct CommandFunctionOptions {
  /// What it does, for the language model that works out the feedback to its inputs.
  std::string description = {};
  /// The command is asked for that feedback itself; there need be no description.
  bool answers_feedback = false;
  std::string role = "function result";  ///< of the result
  OnError on_error = OnError::fail;      ///< see tgd/problem.hpp
  FeedbackOptions feedback = {};
};

/// A function by command. For each item the command gets a line on its standard input, and answers, in any order, with one on
/// its standard output:
///
///     {"id": 7, "inputs": {"query": "…"}}
///     {"id": 7, "output": "…"}
///
/// The output is a text; what is none becomes its JSON. An answer with a "problem", a sentence, says that there is nothing for
/// this item. Where it answers feedback itself it is shown what it made, and says how each input should change, if it should:
///
///     {"id": 8, "inputs": {"query": "…"}, "output": "…", "feedback": "…"}
///     {"id": 8, "feedback": {"query": "ask for the year, too"}}
///
/// Shapes and threads: as for autograd::apply(ItemFunction); nothing is asked about an item of which an input has a problem.
/// How the command is run, and when another process takes the place of one: see lm::Command. Errors: ValueError for options
/// that cannot be meant; a command that cannot be started, and one whose item has a problem unless options.on_error keeps it,
/// where the result is read.
class TGD_API CommandFunction {
 public:
  explicit CommandFunction(CommandOptions options);
  /// An lm::Command, or what stands before one: its questions are the requests' last messages, of the purpose "command".
  explicit CommandFunction(lm::ChatModelPtr command);

  Variable operator()(const NamedInputs& inputs, const CommandFunctionOptions& options = {}, Place place = Place::here()) const;

 private:
  lm::ChatModelPtr command_;
};

}  // namespace tgd
