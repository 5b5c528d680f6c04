// TaskAgent: the program that a task file describes. One call of the student per sample, built from the messages, and an
// evaluator; the parameters are what is optimized.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/cognitive/module.hpp>
#include <tgd/optim.hpp>
#include <tgd/prompts.hpp>
#include <tgd/trainer.hpp>
#include <tgd/variable.hpp>

#include "cli/models.hpp"
#include "cli/task.hpp"
#include "cli/task_data.hpp"

namespace tgd::cli {

class TaskAgent final : public Module {
 public:
  TaskAgent(const Task& task, Models models, Prompts prompts);

  std::optional<StepResult> training_step(Batch& batch);
  std::shared_ptr<optim::Optimizer> configure_optimizers() { return optimizer_; }

  /// Names and current values in the order of the task.
  std::vector<std::pair<std::string, std::string>> values() const;
  /// What the last step did to each parameter, in the same order.
  const std::vector<optim::ParameterUpdate>& last_updates() const { return optimizer_->last_updates(); }

 private:
  Message message(const MessageSpec& spec);
  Variable content(const std::string& text);

  lm::ChatModelPtr student_;
  Prompts prompts_;
  Messages messages_;
  Inputs filled_in_;  ///< the parameters that stand inside other text of a message
  std::shared_ptr<optim::TGD> optimizer_;
};

}  // namespace tgd::cli
