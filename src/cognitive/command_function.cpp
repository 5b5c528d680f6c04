#include <tgd/cognitive/command_function.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/autograd.hpp>
#include <tgd/error.hpp>
#include <tgd/lm/command.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "cognitive/black_box.hpp"
#include "cognitive/command_answer.hpp"
#include "cognitive/command_calls.hpp"
#include "cognitive/critique.hpp"
#include "core/problem.hpp"
#include "core/text.hpp"

namespace tgd {

namespace {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;
using detail::Spread;
using detail::Storage;
using detail::Use;

constexpr const char* function_operation = "command_function";

/// The command itself says how its inputs should change.
class CommandFunctionBackward final : public autograd::Node {
 public:
  CommandFunctionBackward(const NamedInputs& inputs, const std::vector<Variable>& variables, std::shared_ptr<Storage> output,
                          lm::ChatModelPtr command, const CommandFunctionOptions& options)
      : Node(variables),
        role_(options.role),
        on_notice_(options.feedback.on_notice),
        uses_(detail::uses_of(variables)),
        output_(std::move(output)),
        command_(std::move(command)) {
    for (const auto& [name, variable] : inputs) inputs_.emplace_back(name, variable.detach());
  }

  std::string name() const override { return "CommandFunctionBackward"; }
  std::string output_role(std::size_t) const override { return role_; }
  bool takes_problems() const override { return true; }

  autograd::Asked ask(const Feedback& feedback) const override {
    autograd::Asked asked;
    auto plan = std::make_unique<Plan>();
    plan->said.assign(uses_.size(), std::vector<std::string>(output_->size()));
    for (std::size_t sample = 0; sample < output_->size(); ++sample) {
      const std::string text = detail::feedback_text(feedback.grad_outputs[0], sample);
      if (text.empty()) continue;
      if (const auto edge = cause(sample)) {
        plan->said[*edge][sample] = text;  // nothing was asked
        continue;
      }
      const detail::ProblemPtr problem = output_->problem(sample);
      const std::string came = output_->item(sample).item_text();
      plan->asked.push_back(sample);
      asked.requests.push_back(detail::command_request({{"inputs", detail::items_json(inputs_, sample)},
                                                        {"output", problem ? detail::with_problem(came, *problem) : came},
                                                        {"feedback", text}},
                                                       detail::command_purpose, sample));
    }
    asked.state = std::move(plan);
    asked.model = command_;
    return asked;
  }

  Answer answer(autograd::NodeState* state, const Feedback& feedback, std::span<const lm::Reply> replies) const override {
    Plan& plan = static_cast<Plan&>(*state);
    std::vector<Problem> lost;
    for (std::size_t i = 0; i < plan.asked.size(); ++i) {
      auto problem = feedback.problems[i] ? feedback.problems[i] : take(plan, plan.asked[i], replies[i]);
      if (!problem) continue;
      if (on_notice_) {
        on_notice_({Notice::Kind::failed_item, name(), role_, output_->is_batch() ? std::optional(plan.asked[i]) : std::nullopt,
                    "there is no feedback on this item: " + to_string(*problem)});
      }
      lost.push_back(*std::move(problem));
    }
    detail::expect_critiques(lost.size() < plan.asked.size(), lost);
    Answer answer;
    for (std::size_t edge = 0; edge < uses_.size(); ++edge)
      answer.gradients.push_back(feedback.wants(edge) ? gradient(edge, std::move(plan.said[edge])) : Gradient());
    return answer;
  }

 protected:
  void release_saved() override {
    uses_.clear();
    inputs_.clear();
    output_.reset();
    command_.reset();
  }

 private:
  struct Plan final : autograd::NodeState {
    std::vector<std::size_t> asked;              // the sample of each request
    std::vector<std::vector<std::string>> said;  // to each input, by sample
  };

  /// The input whose problem is the reason why nothing was asked.
  std::optional<std::size_t> cause(std::size_t sample) const {
    for (std::size_t edge = 0; edge < uses_.size(); ++edge) {
      if (uses_[edge].data->problem(sample)) return edge;
    }
    return std::nullopt;
  }

  std::optional<Problem> take(Plan& plan, std::size_t sample, const lm::Reply& reply) const {
    const nlohmann::ordered_json answer = detail::command_answer(reply);
    const auto said = answer.find("feedback");
    const auto unusable = [&](const std::string& what) {
      return Problem{.kind = Problem::Kind::unreadable,
                     .text = detail::unusable_answer(what + ": " + detail::quoted_json(answer))};
    };
    if (said == answer.end() || !said->is_object())
      return unusable("asked for feedback, it has to answer with an object \"feedback\", such as {\"query\": \"…\"}");
    for (const auto& [name, text] : said->items()) {
      const auto input =
          std::find_if(inputs_.begin(), inputs_.end(), [&wanted = name](const auto& each) { return each.first == wanted; });
      if (input == inputs_.end()) return unusable(fmt::format("its \"feedback\" is to \"{}\", which is no input of it", name));
      if (text.is_null()) continue;
      if (!text.is_string()) return unusable(fmt::format("its \"feedback\" to \"{}\" is no text", name));
      plan.said[static_cast<std::size_t>(input - inputs_.begin())][sample] = text.get<std::string>();
    }
    return std::nullopt;
  }

  Gradient gradient(std::size_t edge, std::vector<std::string> texts) const {
    if (uses_[edge].part == Spread::itemwise) return detail::make_gradient(std::move(texts));
    std::erase_if(texts, [](const std::string& text) { return text.empty(); });
    return detail::make_gradient(texts.empty() ? std::string() : detail::join_items(texts));
  }

  std::string role_;
  OnNotice on_notice_;
  NamedInputs inputs_;
  std::vector<Use> uses_;
  std::shared_ptr<Storage> output_;
  lm::ChatModelPtr command_;
};

}  // namespace

CommandFunction::CommandFunction(CommandOptions options) : CommandFunction(std::make_shared<lm::Command>(std::move(options))) {}

CommandFunction::CommandFunction(lm::ChatModelPtr command) : command_(std::move(command)) {
  if (!command_) throw ValueError("a CommandFunction needs a command; it was given none");
}

Variable CommandFunction::operator()(const NamedInputs& inputs, const CommandFunctionOptions& options, Place place) const {
  const detail::CalledFrom called(place);
  detail::expect_usable(options.feedback);
  if (inputs.empty()) throw ValueError("a CommandFunction needs at least one input");
  const std::vector<Variable> variables = detail::variables_of(function_operation, {&inputs});
  const bool is_recorded = detail::records_history(variables);
  if (is_recorded && options.description.empty() && !options.answers_feedback) {
    throw ValueError(
        "a CommandFunction needs a description of what it does: it is all that the language model which works out its feedback "
        "knows of it; or it answers feedback itself");
  }
  auto output = detail::start_command_calls(
      {.operation = function_operation, .command = command_, .groups = {{"inputs", inputs}}, .on_error = options.on_error});
  std::shared_ptr<autograd::Node> node;
  if (is_recorded && options.answers_feedback) {
    node = std::make_shared<CommandFunctionBackward>(inputs, variables, output, command_, options);
  } else if (is_recorded) {
    node = std::make_shared<detail::BlackBoxNode>("CommandFunctionBackward", options.role, options.description, variables,
                                                  output, options.feedback);
  }
  return detail::make_result(std::move(output), detail::Role(options.role), std::move(node));
}

}  // namespace tgd
