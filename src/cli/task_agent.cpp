#include "cli/task_agent.hpp"

#include <algorithm>

#include <tgd/functions.hpp>
#include <tgd/template.hpp>

#include "core/text.hpp"

namespace tgd::cli {

namespace {

std::shared_ptr<optim::TGD> make_optimizer(const OptimizerSpec& spec, std::vector<Variable> parameters,
                                           lm::ChatModelPtr teacher, const Prompts& prompts) {
  return std::make_shared<optim::TGD>(std::move(parameters), optim::TGDOptions{.model = std::move(teacher),
                                                                               .constraints = spec.constraints,
                                                                               .momentum = spec.momentum,
                                                                               .completion_args = spec.args,
                                                                               .max_reasks = spec.max_reasks,
                                                                               .show_context = spec.show_context,
                                                                               .prompts = prompts});
}

}  // namespace

TaskAgent::TaskAgent(const Task& task, Models models, Prompts prompts)
    : student_(models.student), prompts_(std::move(prompts)) {
  for (const ParameterSpec& spec : task.parameters) register_parameter(spec.name, {spec.value, spec.role});
  for (const MessageSpec& spec : task.stages.front().messages) messages_.push_back(message(spec));
  optimizer_ = make_optimizer(task.optimizer, parameters(), models.teacher, prompts_);
}

Message TaskAgent::message(const MessageSpec& spec) {
  Message message{spec.role, {}};
  for (const std::string& text : spec.content) message.content.push_back(content(text));
  return message;
}

Variable TaskAgent::content(const std::string& text) {
  for (const auto& [name, parameter] : named_parameters()) {
    if (text == "{" + name + "}") return parameter;
    const bool is_known =
        std::any_of(filled_in_.begin(), filled_in_.end(), [&wanted = name](const auto& input) { return input.first == wanted; });
    if (has_placeholder(text, name) && !is_known) filled_in_.emplace_back(name, parameter);
  }
  return {text, "message"};
}

std::optional<StepResult> TaskAgent::training_step(Batch& batch) {
  Inputs inputs = filled_in_;
  for (const auto& [name, variable] : batch) {
    if (name != target_name) inputs.emplace_back(name, variable);
  }
  const Variable reply = chat_completion(student_, messages_, inputs, {.role = "answer", .prompts = prompts_});
  // White space around an answer is no mistake.
  const Variable answer = map(reply, [](const Data& item) -> Data { return detail::trim(item.text()); });
  return exact_match_evaluator(answer, batch.at(target_name).data().to<std::string>(),
                               {.reduction = Reduction::none, .prompts = prompts_});
}

std::vector<std::pair<std::string, std::string>> TaskAgent::values() const {
  std::vector<std::pair<std::string, std::string>> values;
  for (const auto& [name, parameter] : named_parameters()) values.emplace_back(name, parameter.text());
  return values;
}

}  // namespace tgd::cli
