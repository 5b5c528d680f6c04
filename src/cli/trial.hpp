// Trial: what a run asks of its models, asked once before the run is paid for. One sample goes through the task's stages and its
// evaluator; then a whole batch that has that sample's answer, and is wrong where a target says so, goes through the backward pass and
// the optimizer: the critic's and the optimizer's requests have the form and the size of the run's.
// Thread-safety: one trial at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tgd/lm/chat_model.hpp>
#include <tgd/prompts.hpp>

#include "task/agent.hpp"
#include "task/data.hpp"
#include "task/models.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// Of calls that only look whether replies repeat.
inline constexpr const char* repeat_purpose = "repeat";

/// What one call has shown of a model.
struct TrialCall {
  std::string role;     ///< the first of the model's names
  std::string purpose;  ///< "forward", "judge", "backward", "optimize", …
  std::string reply = {};
  std::string error = {};       ///< empty: it was answered
  bool is_of_endpoint = false;  ///< an error that any further call would meet
  bool is_refused = false;      ///< by the budget, or because the program ends
  std::string warning = {};     ///< what is wrong with the reply, and what to set; empty: nothing
  std::string remark = {};      ///< what is worth knowing
  std::size_t thoughts = 0;     ///< characters that came with the reply and are no part of it
  double seconds = 0;
  std::int64_t estimated_prompt_tokens = 0;
  lm::Usage usage = {};
};

/// Whether two equal requests at temperature 0 get equal replies.
struct Repetition {
  bool is_known = false;
  bool is_equal = false;
  std::string problem = {};  ///< why it is not known
};

/// What a run that goes like the trial ends with.
struct TrialProblem {
  bool ends_run;
  std::string text;
};

struct TrialResult {
  std::vector<TrialCall> calls;
  std::vector<TrialProblem> problems;
  std::optional<Answer> answer;                   ///< to the one sample
  std::map<std::string, std::int64_t> windows;    ///< tokens of a request and its reply, by role, where known
  std::map<std::string, Repetition> repetitions;  ///< by role; of models that answer or judge

  /// Tokens that a model writes in a second; nothing where no call has shown it.
  std::optional<double> tokens_per_second(const std::string& role) const;
};

/// What is wrong with what an evaluator's command makes of a few training samples: their targets, or their first inputs, as the
/// predictions.
std::vector<TrialProblem> try_command(const Task& task, const TaskData& data, const Prompts& prompts);

/// `models`: wrapped nowhere else for this. Ends early when `is_stopped` says so.
TrialResult try_models(const Task& task, const TaskData& data, Models models, const Prompts& prompts,
                       const std::function<bool()>& is_stopped);

}  // namespace tgd::cli
