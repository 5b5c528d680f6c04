#include "cognitive/judgement.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "cognitive/critique.hpp"
#include "core/text.hpp"

namespace tgd::detail {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;

bool Judgement::succeeded(double score) const {
  if (options.success) return options.success(score);
  return options.higher_is_better ? score >= best_score : score <= best_score;
}

std::string Judgement::feedback(std::size_t i) const {
  const double score = scores->item(i).real();
  if (succeeded(score)) return {};
  return options.prompts.render(prompt, {{"role", prediction_role.empty() ? "result" : prediction_role.text()},
                                         {"score", fmt::format("{}", score)},
                                         {"target", target ? target->item(i).item_text() : std::string()},
                                         {"prediction", prediction->item(i).item_text()},
                                         {"purpose", purpose},
                                         {"explanation", explanations ? explanations->item(i).item_text() : std::string()},
                                         {"direction", options.higher_is_better ? "higher is better" : "lower is better"}});
}

Data Judgement::reduced_score() const {
  const Data& all = scores->get();
  if (!scores->is_batch()) return all;
  if (options.reduction == Reduction::mean) {
    const std::vector<double> numbers = all.size() == 0 ? std::vector<double>{} : all.as_reals();
    return numbers.empty() ? 0.0 : std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
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
  if (explanations) return explanations->item(i).item_text();
  std::string text = feedback(i);
  return text.empty() ? fmt::format("Score: {}.", scores->item(i).item_text()) : text;
}

std::string Judgement::summary() const {
  if (!scores->is_batch()) return explain_item(0);
  std::size_t good = 0;
  for (std::size_t i = 0; i < scores->size(); ++i) good += succeeded(scores->item(i).real()) ? 1 : 0;
  return fmt::format("{} of {} items are as they should be ({}).", good, scores->size(), purpose);
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

  std::vector<lm::Request> ask(const Feedback& feedback) const override {
    std::vector<lm::Request> requests;
    if (judgement_->options.critique == Critique::explanation || !feedback.wants(0)) return requests;
    for (std::size_t i = 0; i < judgement_->prediction->size(); ++i) {
      const std::string text = item_feedback(feedback, i);
      if (!text.empty()) requests.push_back(critique_request(text, i));
    }
    return requests;
  }

  Answer answer(const Feedback& feedback, std::span<const lm::Reply> replies) const override {
    Answer answer{std::vector<Gradient>(next_edges().size())};
    if (feedback.wants(0)) answer.gradients[0] = make_gradient(feedback_data(item_texts(feedback, replies)));
    return answer;
  }

 protected:
  void release_saved() override { judgement_.reset(); }

 private:
  std::vector<std::string> item_texts(const Feedback& feedback, std::span<const lm::Reply> replies) const {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < judgement_->prediction->size(); ++i) {
      std::string text = item_feedback(feedback, i);
      if (!text.empty() && !replies.empty()) {
        text = critique_text(replies.front());
        replies = replies.subspan(1);
      }
      texts.push_back(std::move(text));
    }
    return texts;
  }

  /// One empty gradient, whatever the shape, when all is well.
  Data feedback_data(std::vector<std::string> texts) const {
    const bool all_well = std::all_of(texts.begin(), texts.end(), [](const std::string& text) { return text.empty(); });
    if (all_well) return "";
    return judgement_->prediction->is_batch() ? Data(std::move(texts)) : Data(std::move(texts[0]));
  }

  lm::Request critique_request(const std::string& text, std::size_t i) const {
    const Prompts& prompts = judgement_->options.prompts;
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
  for (const Variable& item : target.list()) storages.push_back(item.impl()->storage);
  auto batch = Storage::pending_batch(storages.size());
  for (std::size_t i = 0; i < storages.size(); ++i) {
    when_items({storages[i]}, 0, [batch, i, storage = storages[i], owed = Storage::owed(batch, i)] {
      try {
        batch->set_item(i, storage->item(0));
      } catch (...) {
        batch->fail_item(i, std::current_exception());
      }
    });
  }
  return make_variable(std::move(batch), Role("target"));
}

void check_sizes(const std::string& operation, const Variable& prediction, const Variable& target) {
  if (target.is_batch() && (!prediction.is_batch() || prediction.size() != target.size())) {
    throw ValueError(fmt::format("{}: the target has {} items, but the prediction \"{}\" {}", operation, target.size(),
                                 prediction.role(),
                                 prediction.is_batch() ? fmt::format("has {}", prediction.size()) : "is a scalar"));
  }
}

JudgedOutputs reduce(const std::shared_ptr<const Judgement>& judgement) {
  std::vector<std::shared_ptr<Storage>> needed{judgement->scores};
  if (judgement->explanations) needed.push_back(judgement->explanations);
  if (judgement->options.reduction == Reduction::none && judgement->scores->is_batch()) {
    const std::array<Variable, 1> judged{make_variable(needed.back(), {})};
    return {judgement->scores, compute_items(judgement->operation, judged, [judgement](std::size_t i, std::span<const Data>) {
              return judgement->explain_item(i);
            })};
  }
  auto score = compute_whole(needed, [judgement] { return judgement->reduced_score(); });
  if (judgement->options.reduction == Reduction::mean && judgement->scores->is_batch()) score->set_is_mean();
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
