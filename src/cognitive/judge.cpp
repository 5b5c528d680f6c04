#include <array>
#include <memory>

#include <fmt/format.h>

#include <tgd/cognitive/evaluator.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "cognitive/chat.hpp"
#include "cognitive/judge_reply.hpp"
#include "cognitive/judgement.hpp"

namespace tgd {

namespace {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;
using detail::Judgement;
using detail::Role;
using detail::Storage;
using detail::Verdict;

/// What the judge said about each item, read once: when its reply is taken.
class Verdicts {
 public:
  /// What is wrong with the reply; nothing where it could be read.
  std::optional<std::string> read(std::size_t item, const std::string& reply) {
    auto read = detail::read_verdict(reply);
    if (auto* problem = std::get_if<std::string>(&read)) return std::move(*problem);
    verdicts_.set(item, std::get<Verdict>(std::move(read)));
    return std::nullopt;
  }
  Verdict of(std::size_t item) const { return verdicts_.of(item); }

 private:
  detail::PerItem<Verdict> verdicts_;
};

/// For a judge that is optimized itself: what its score and its explanation are told goes to the reply they were read from.
class JudgeBackward final : public autograd::Node {
 public:
  JudgeBackward(std::span<const Variable> replies, Role prediction_role, std::size_t size, bool is_batch)
      : Node(replies), prediction_role_(std::move(prediction_role)), size_(size), is_batch_(is_batch) {}

  std::string name() const override { return "LMJudgeEvaluatorBackward"; }
  std::string output_role(std::size_t output_nr) const override {
    return detail::output_role_of(output_nr, prediction_role_).text();
  }
  std::size_t output_count() const override { return 2; }

  Answer answer(autograd::NodeState*, const Feedback& feedback, std::span<const lm::Reply>) const override {
    std::vector<std::string> texts(size_);
    for (std::size_t i = 0; i < size_; ++i) {
      for (const Gradient& incoming : feedback.grad_outputs) {
        const std::string text = detail::feedback_text(incoming, incoming && incoming->is_batch() ? i : 0);
        if (!text.empty()) texts[i] += (texts[i].empty() ? "" : "\n") + text;
      }
    }
    return {{detail::make_gradient(is_batch_ ? Data(std::move(texts)) : Data(std::move(texts[0])))}};
  }

 private:
  Role prediction_role_;
  std::size_t size_;
  bool is_batch_;
};

/// What is judged has no part in the judge's own feedback: only its messages and further inputs have.
Inputs judge_inputs(std::span<const Variable> judged, const Inputs& inputs) {
  Inputs all;
  all.reserve(inputs.size() + 2);
  all.emplace_back("prediction", judged[0].detach());
  if (judged.size() > 1) all.emplace_back("target", judged[1].detach());
  all.insert(all.end(), inputs.begin(), inputs.end());
  return all;
}

Variable ask_judge(const lm::ChatModelPtr& model, const Messages& messages, const Inputs& inputs, const JudgeOptions& options,
                   const std::shared_ptr<Verdicts>& verdicts) {
  ChatOptions chat;
  chat.args = options.args;
  chat.on_error = options.evaluator.on_error;
  chat.role = "verdict of a judge";
  chat.feedback = options.evaluator.feedback;
  const auto read = [verdicts](std::size_t item, const std::string& reply) { return verdicts->read(item, reply); };
  return detail::start_chat(model, messages, inputs, std::move(chat), {read, "judge_reask", options.max_reasks}, "judge");
}

}  // namespace

Evaluation lm_judge_evaluator(const lm::ChatModelPtr& model, const Messages& messages, const Variable& prediction,
                              const std::optional<Input>& target, const Inputs& inputs, JudgeOptions options, Place place) {
  const detail::CalledFrom called(place);
  std::vector<Variable> judged{prediction};
  if (target) {
    judged.push_back(detail::target_variable(*target));
    detail::check_sizes("lm_judge_evaluator", prediction, judged[1]);
  }
  const auto verdicts = std::make_shared<Verdicts>();
  std::optional<Variable> replies;
  {
    std::optional<NoGradGuard> no_grad;
    if (options.eval_mode) no_grad.emplace();
    replies = ask_judge(model, messages, judge_inputs(judged, inputs), options, verdicts);
  }
  if (prediction.is_batch() != replies->is_batch()) {
    throw ValueError(
        fmt::format("lm_judge_evaluator: the prediction \"{}\" is a scalar, but another input is a list", prediction.role()));
  }
  Judgement plan;
  plan.operation = "lm_judge_evaluator";
  plan.node_name = "LMJudgeEvaluatorBackward";
  plan.prompt = "judge_feedback";
  plan.purpose = "the judgement of a language model";
  plan.prediction_role = tgd::detail::impl_of(prediction)->role;
  plan.prediction = tgd::detail::impl_of(prediction)->storage;
  if (target) plan.target = tgd::detail::impl_of(judged[1])->storage;
  plan.best_score = options.best_score;
  plan.options = std::move(options.evaluator);
  const std::array<Variable, 1> asked{*replies};
  const auto score = [verdicts](std::size_t i, std::span<const Data>) -> Data { return verdicts->of(i).score; };
  const auto explanation = [verdicts](std::size_t i, std::span<const Data>) -> Data { return verdicts->of(i).explanation; };
  plan.scores = detail::compute_items(plan.operation, asked, detail::scoring(plan, score));
  plan.explanations = detail::compute_items(plan.operation, asked, {explanation});
  if (options.eval_mode) return detail::judge_prediction(std::move(plan), judged);

  const std::array<Variable, 1> judge{*replies};
  const Role role = plan.prediction_role;
  const auto node = detail::records_history(judge)
                        ? std::make_shared<JudgeBackward>(judge, role, replies->size(), replies->is_batch())
                        : nullptr;
  return detail::make_evaluation(detail::reduce(std::make_shared<const Judgement>(std::move(plan))), role, node);
}

}  // namespace tgd
