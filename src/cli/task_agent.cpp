#include "cli/task_agent.hpp"

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
  std::vector<Variable> variables;
  for (const ParameterSpec& spec : task.parameters) {
    variables.emplace_back(Data(spec.value), spec.role, true);
    parameters_.push_back({spec.name, variables.back()});
  }
  for (const MessageSpec& message : task.messages) add_message(message);
  optimizer_ = make_optimizer(task.optimizer, std::move(variables), models.teacher, prompts_);
}

void TaskAgent::add_message(const MessageSpec& spec) {
  Message message{spec.role, {}};
  for (const std::string& text : spec.content) message.content.push_back(content(text));
  messages_.push_back(std::move(message));
}

Variable TaskAgent::content(const std::string& text) {
  for (NamedVariable& parameter : parameters_) {
    if (text == "{" + parameter.name + "}") return parameter.variable;
    if (has_placeholder(text, parameter.name)) parameter.is_filled_in = true;
  }
  return {text, "message"};
}

std::optional<StepResult> TaskAgent::training_step(Batch& batch) {
  Inputs inputs;
  for (const NamedVariable& parameter : parameters_) {
    if (parameter.is_filled_in) inputs.emplace_back(parameter.name, parameter.variable);
  }
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
  for (const NamedVariable& parameter : parameters_) values.emplace_back(parameter.name, parameter.variable.text());
  return values;
}

}  // namespace tgd::cli
