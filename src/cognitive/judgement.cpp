#include "cognitive/judgement.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "cognitive/critique.hpp"
#include "core/mean.hpp"
#include "core/problem.hpp"
#include "core/text.hpp"

namespace tgd::detail {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;

bool Judgement::succeeded(std::size_t i) const {
  if (scores->problem(i)) return false;
  const double score = scores->item(i).real();
  if (options.success) return options.success(score);
  return scale().is_best(score);
}

double Judgement::worst_score() const { return options.worst_score.value_or(scale().worst()); }

std::string Judgement::feedback(std::size_t i) const {
  if (succeeded(i)) return {};
  const ProblemPtr problem = scores->problem(i);
  // A judge that gave no verdict has nothing to say about the prediction.
  if (problem && explanations && !prediction->problem(i)) return {};
  const std::string came = prediction->item(i).item_text();
  const std::string explanation = explanations ? explanations->item(i).item_text() : std::string();
  const bool is_plain = explanation.empty() && !prompt_without_explanation.empty();
  return options.feedback.prompts.render(problem    ? "problem_feedback"
                                         : is_plain ? prompt_without_explanation
                                                    : prompt,
                                         {{"role", prediction_role.empty() ? "result" : prediction_role.text()},
                                          {"score", scores->item(i).item_text()},
                                          {"target", target ? target->item(i).item_text() : std::string()},
                                          {"prediction", problem ? with_problem(came, *problem) : came},
                                          {"purpose", purpose},
                                          {"problem", problem ? problem->text : std::string()},
                                          {"explanation", explanation},
                                          {"direction", options.higher_is_better ? "higher is better" : "lower is better"}});
}

Data Judgement::reduced_score() const {
  const Data& all = scores->get();
  if (!scores->is_batch()) return all;
  if (options.reduction == Reduction::mean) {
    return mean(all.size() == 0 ? std::vector<double>{} : all.as_reals());
  }
  if (all.kind() == Data::Kind::integer) {
    std::int64_t sum = 0;
    const auto overflows = [&sum](std::int64_t score) { return __builtin_add_overflow(sum, score, &sum); };
    if (std::none_of(all.integers().begin(), all.integers().end(), overflows)) return sum;
  }
  const std::vector<double> numbers = all.size() == 0 ? std::vector<double>{} : all.as_reals();
  return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

std::string Judgement::explain_item(std::size_t i) const {
  if (const ProblemPtr problem = scores->problem(i))
    return fmt::format("Score: {}. There is a problem: {}.", scores->item(i).item_text(), problem->text);
  if (explanations && (prompt_without_explanation.empty() || !explanations->item(i).item_text().empty()))
    return explanations->item(i).item_text();
  std::string text = feedback(i);
  return text.empty() ? fmt::format("Score: {}.", scores->item(i).item_text()) : text;
}

std::string Judgement::summary() const {
  if (!scores->is_batch()) return explain_item(0);
  std::size_t good = 0;
  std::size_t problems = 0;
  for (std::size_t i = 0; i < scores->size(); ++i) {
    good += succeeded(i) ? 1 : 0;
    problems += scores->problem(i) ? 1 : 0;
  }
  return fmt::format("{} of {} items are as they should be ({}){}.", good, scores->size(), purpose,
                     problems > 0 ? fmt::format("; {} could not be scored and count as the worst", problems) : "");
}

namespace {

class EvaluatorBackward final : public autograd::Node {
 public:
  EvaluatorBackward(std::span<const Variable> inputs, std::shared_ptr<const Judgement> judgement)
      : Node(inputs), name_(judgement->node_name), role_(judgement->prediction_role), judgement_(std::move(judgement)) {}

  std::string name() const override { return name_; }
  std::string output_role(std::size_t output_nr) const override { return output_role_of(output_nr, role_).text(); }
  std::size_t output_count() const override { return 2; }
  bool starts_backward() const override { return true; }

  autograd::Asked ask(const Feedback& feedback) const override {
    autograd::Asked asked;
    if (!feedback.wants(0)) return asked;
    auto words = std::make_unique<Words>();
    for (std::size_t i = 0; i < judgement_->prediction->size(); ++i) {
      const std::string& text = words->of_items.emplace_back(item_feedback(feedback, i));
      if (judgement_->options.critique != Critique::explanation && !text.empty())
        asked.requests.push_back(critique_request(text, i));
    }
    asked.state = std::move(words);
    return asked;
  }

  /// Where the language model cannot word it, the evaluator's own words stay.
  bool takes_problems() const override { return true; }

  Answer answer(autograd::NodeState* state, const Feedback& feedback, std::span<const lm::Reply> replies) const override {
    Answer answer{std::vector<Gradient>(next_functions().size())};
    if (!feedback.wants(0)) return answer;
    std::vector<std::string> texts = std::move(static_cast<Words&>(*state).of_items);
    std::vector<Problem> lost;
    std::size_t next = 0;
    for (std::string& text : texts) {
      if (text.empty() || replies.empty()) continue;
      if (auto problem = problem_with_critique(feedback, replies, next)) {
        lost.push_back(*std::move(problem));
      } else {
        text = critique_text(replies[next]);
      }
      ++next;
    }
    expect_critiques(lost.size() < next, lost);
    const bool all_well = std::all_of(texts.begin(), texts.end(), [](const std::string& text) { return text.empty(); });
    answer.gradients[0] = make_gradient(all_well ? Data("") : feedback_data(std::move(texts)));
    if (!all_well) tgd::detail::impl_of(*answer.gradients[0])->make_extras().outcomes.push_back(outcomes());
    return answer;
  }

 protected:
  void release_saved() override { judgement_.reset(); }

 private:
  /// What the evaluator has to say about each item; empty when all is well.
  struct Words final : autograd::NodeState {
    std::vector<std::string> of_items;
  };

  /// What optimizers count and show: of the samples that need no feedback, too.
  std::shared_ptr<const SampleOutcomes> outcomes() const {
    const Judgement& judged = *judgement_;
    auto outcomes = std::make_shared<SampleOutcomes>();
    for (std::size_t i = 0; i < judged.prediction->size(); ++i) {
      const std::string answer = judged.prediction->item(i).item_text();
      outcomes->samples.push_back({.reply = answer,
                                   .answer = answer,
                                   .target = judged.target ? std::optional(judged.target->item(i).item_text()) : std::nullopt,
                                   .score = judged.scores->item(i).real(),
                                   .is_solved = judged.succeeded(i),
                                   .problem = judged.prediction->problem(i)});
    }
    return outcomes;
  }

  /// One empty gradient, whatever the shape, stands for a batch in which all is well.
  Data feedback_data(std::vector<std::string> texts) const {
    return judgement_->prediction->is_batch() ? Data(std::move(texts)) : Data(std::move(texts[0]));
  }

  lm::Request critique_request(const std::string& text, std::size_t i) const {
    const Prompts& prompts = judgement_->options.feedback.prompts;
    const std::string role = role_.empty() ? "result" : role_.text();
    lm::Request request;
    request.messages.push_back({"system", std::string(prompts.get("critique_system"))});
    request.messages.push_back({"user", prompts.render("critique_user", {{"role", role}, {"judgement", text}})});
    request.info.parameter = role;
    if (judgement_->prediction->is_batch()) request.info.item = i;
    return request;
  }

  /// What the evaluator has to say, then what was said to its outputs.
  std::string item_feedback(const Feedback& feedback, std::size_t i) const {
    std::vector<std::string> texts{judgement_->feedback(i)};
    for (const Gradient& incoming : feedback.grad_outputs) {
      if (incoming) texts.push_back(incoming->data().item_text(incoming->is_batch() ? i : 0));
    }
    std::erase_if(texts, [](const std::string& text) { return text.empty(); });
    return texts.empty() ? std::string() : join_items(texts);
  }

  std::string name_;
  Role role_;
  std::shared_ptr<const Judgement> judgement_;
};

}  // namespace

Variable target_variable(const Input& target) {
  if (!target.is_list()) return target.variable();
  std::vector<std::shared_ptr<Storage>> storages;
  for (const Variable& item : target.list()) storages.push_back(tgd::detail::impl_of(item)->storage);
  auto batch = Storage::pending_batch(storages.size());
  for (std::size_t i = 0; i < storages.size(); ++i) pass_on(storages[i], 0, batch, i);
  return make_variable(std::move(batch), Role("target"));
}

void check_sizes(const std::string& operation, const Variable& prediction, const Variable& target) {
  if (target.is_batch() && (!prediction.is_batch() || prediction.size() != target.size())) {
    throw ValueError(fmt::format("{}: the target has {} items, but the prediction \"{}\" {}", operation, target.size(),
                                 prediction.role(),
                                 prediction.is_batch() ? fmt::format("has {}", prediction.size()) : "is a scalar"));
  }
}

ItemComputation scoring(const Judgement& plan, std::function<Data(std::size_t, std::span<const Data>)> score) {
  const double worst = plan.worst_score();
  const bool is_whole = worst == std::floor(worst) && std::abs(worst) < 1e15;
  return {
      std::move(score), plan.options.on_error,
      [worst = is_whole ? Data(static_cast<std::int64_t>(worst)) : Data(worst)](std::size_t, const Problem&) { return worst; }};
}

JudgedOutputs reduce(const std::shared_ptr<const Judgement>& judgement) {
  std::vector<std::shared_ptr<Storage>> needed{judgement->scores};
  if (judgement->explanations) needed.push_back(judgement->explanations);
  if (judgement->options.reduction == Reduction::none && judgement->scores->is_batch()) {
    const std::array<Variable, 1> judged{make_variable(needed.back(), {})};
    const auto explain = [judgement](std::size_t i, const auto&) -> Data { return judgement->explain_item(i); };
    return {judgement->scores, compute_items(judgement->operation, judged, {explain, OnError::fail, explain})};
  }
  auto score = compute_whole(needed, [judgement] { return judgement->reduced_score(); });
  if (judgement->options.reduction == Reduction::mean && judgement->scores->is_batch()) score->set_is_mean();
  score->set_parts(judgement->scores);
  return {std::move(score), compute_whole(needed, [judgement] { return judgement->summary(); })};
}

Role output_role_of(std::size_t output_nr, const Role& prediction_role) {
  return Role::prefixed(output_nr == 0 ? "Evaluation result score of " : "Evaluation result explanation of ", prediction_role);
}

Evaluation make_evaluation(JudgedOutputs outputs, const Role& prediction_role, const std::shared_ptr<autograd::Node>& node) {
  return {make_result(std::move(outputs.score), output_role_of(0, prediction_role), node, 0),
          make_result(std::move(outputs.explanation), output_role_of(1, prediction_role), node, 1)};
}

Evaluation judge_prediction(Judgement plan, std::span<const Variable> inputs) {
  const auto judgement = std::make_shared<const Judgement>(std::move(plan));
  std::shared_ptr<EvaluatorBackward> node;
  if (records_history(inputs)) node = std::make_shared<EvaluatorBackward>(inputs, judgement);
  return make_evaluation(reduce(judgement), judgement->prediction_role, node);
}

}  // namespace tgd::detail
