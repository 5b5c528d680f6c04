// An agent of one prompt whose new values are known beforehand.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tgd/cognitive/module.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/trainer.hpp>

namespace tgd::test {

using Samples = std::vector<std::pair<std::string, std::string>>;  // questions and answers
using Batch = std::tuple<Variable, Variable>;

inline lm::ChatModelPtr critic() {
  return lm::Stub::answering([](const lm::Request&) { return "be different"; });
}

/// Each question is answered with the prompt's value, unless the test has another student. A step gives it the next of the
/// rewrites.
struct ScriptedAgent : Module {
  explicit ScriptedAgent(std::vector<std::string> rewrites, Reduction how = Reduction::sum) : reduction(how) {
    for (std::string& value : rewrites) value = "<IMPROVED_VALUE>" + value + "</IMPROVED_VALUE>";
    editor = lm::Stub::scripted(std::move(rewrites));
    optimizer = std::make_shared<optim::TGD>(parameters(), optim::TGDOptions{.model = editor, .momentum = 2, .max_reasks = 0});
  }

  std::optional<StepResult> training_step(Batch& batch) {
    const auto& [question, answer] = batch;
    const Variable reply = chat_completion(tracked ? tracked : student, {{"system", {prompt}}, {"user", {"{question}"}}},
                                           {{"question", question}});
    return exact_match_evaluator(reply, answer, {.reduction = reduction});
  }
  std::shared_ptr<optim::Optimizer> configure_optimizers() { return optimizer; }

  std::shared_ptr<lm::Stub> student =
      lm::Stub::answering([](const lm::Request& request) { return request.messages[0].content; });
  lm::ChatModelPtr tracked;  // the student as a trainer has it
  std::shared_ptr<lm::Stub> editor;
  Reduction reduction;
  Parameter prompt = register_parameter("prompt", {"start", "the answer"});
  std::shared_ptr<optim::TGD> optimizer;
};

/// What the Trainer told.
struct Notes : TrainerCallback {
  void on_start(const RunInfo& given) override { info = given; }
  void on_step(const StepReport& report) override { steps.push_back(report); }
  void on_validation(const ValidationReport& report) override { validations.push_back(report); }
  RunInfo info;
  std::vector<StepReport> steps;
  std::vector<ValidationReport> validations;
};

/// The same question again and again, with these answers.
inline Samples samples_with(const std::vector<std::string>& answers) {
  Samples samples;
  for (const std::string& answer : answers) samples.emplace_back("question", answer);
  return samples;
}

inline data::DataLoader<Samples> loader(const std::vector<std::string>& answers, std::size_t batch_size = 1) {
  return data::DataLoader<Samples>(samples_with(answers), {.batch_size = batch_size});
}

}  // namespace tgd::test
