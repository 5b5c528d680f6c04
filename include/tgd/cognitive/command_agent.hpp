// A whole program of the user's own as a command, in any language, whose prompts are optimized.
#pragma once

#include <cstddef>
#include <string>

#include <tgd/cognitive/command_function.hpp>
#include <tgd/cognitive/feedback_options.hpp>
#include <tgd/command.hpp>
#include <tgd/export.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/place.hpp>
#include <tgd/problem.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// How a program takes part in the graph.
struct CommandAgentOptions {
  std::string description = {};      ///< what it does, for the critic; may be empty
  std::string role = "output";       ///< of the result
  OnError on_error = OnError::fail;  ///< see tgd/problem.hpp
  FeedbackOptions feedback = {};
};

/// A program by command. For each item it gets its parameters and its inputs on a line, and answers, in any order, with one:
///
///     {"id": 7, "parameters": {"plan": "…", "answer": "…"}, "inputs": {"question": "…"}}
///     {"id": 7, "output": "…", "trace": [{"parameter": "plan", "messages": [{"role": "system", "content": "…"}, …], "reply": "…"}]}
///
/// "trace" may be left out: its own calls of models, each with the parameter (or a list of them) that it was made with; without
/// that those whose whole text stands in its messages. A critic is shown the conversations of the parameter that it criticises;
/// without a trace, inputs and output. "output", "problem" and all else as for CommandFunction; "usage" says what its calls
/// took, see lm::Command.
class TGD_API CommandAgent {
 public:
  explicit CommandAgent(CommandOptions options);
  /// An lm::Command, or what stands before one: its questions are the requests' last messages, of the purpose "command".
  explicit CommandAgent(lm::ChatModelPtr command);

  /// The parameters are scalars.
  Variable operator()(const NamedInputs& parameters, const NamedInputs& inputs, const CommandAgentOptions& options = {},
                      Place place = Place::here()) const;

 private:
  lm::ChatModelPtr command_;
};

}  // namespace tgd
