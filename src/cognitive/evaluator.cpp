#include <tgd/cognitive/evaluator.hpp>

#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "core/text.hpp"

namespace tgd {

namespace {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;
using detail::Role;
using detail::Storage;

/// What an evaluation saw, shared by its outputs and its node.
struct Judgement {
  std::string operation;
  std::string prompt;   // of the feedback to an item
  std::string purpose;  // what is measured
  Role prediction_role;
  std::shared_ptr<Storage> prediction;
  std::shared_ptr<Storage> target;
  std::shared_ptr<Storage> scores;  // one per item, before reduction
  EvaluatorOptions options;

  bool succeeded(double score) const {
    if (options.success) return options.success(score);
    return options.higher_is_better ? score >= 1 : score <= 0;
  }

  /// What the prediction is told about item i; empty when all is well.
  std::string feedback(std::size_t i) const {
    const double score = scores->item(i).real();
    if (succeeded(score)) return {};
    return options.prompts.render(prompt, {{"role", prediction_role.empty() ? "result" : prediction_role.text()},
                                           {"score", fmt::format("{}", score)},
                                           {"target", target->item(i).item_text()},
                                           {"prediction", prediction->item(i).item_text()},
                                           {"purpose", purpose},
                                           {"direction", options.higher_is_better ? "higher is better" : "lower is better"}});
  }

  Data reduced_score() const {
    const Data& all = scores->get();
    if (!scores->is_batch()) return all;
    if (options.reduction == Reduction::mean) {
      const std::vector<double> numbers = all.as_reals();
      return numbers.empty() ? 0.0 : std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
    }
    if (all.kind() == Data::Kind::integer) return std::accumulate(all.integers().begin(), all.integers().end(), std::int64_t{0});
    const std::vector<double> numbers = all.size() == 0 ? std::vector<double>{} : all.as_reals();
    return std::accumulate(numbers.begin(), numbers.end(), 0.0);
  }

  std::string explain_item(std::size_t i) const {
    std::string text = feedback(i);
    return text.empty() ? fmt::format("Score: {}.", scores->item(i).item_text()) : text;
  }

  std::string summary() const {
    if (!scores->is_batch()) return explain_item(0);
    std::size_t good = 0;
    for (std::size_t i = 0; i < scores->size(); ++i) good += succeeded(scores->item(i).real()) ? 1 : 0;
    return fmt::format("{} of {} items are as they should be ({}).", good, scores->size(), purpose);
  }
};

class EvaluatorBackward final : public autograd::Node {
 public:
  EvaluatorBackward(std::span<const Variable> inputs, std::string name, std::shared_ptr<const Judgement> judgement)
      : Node(inputs), name_(std::move(name)), role_(judgement->prediction_role), judgement_(std::move(judgement)) {}

  std::string name() const override { return name_; }
  std::string output_role(std::size_t output_nr) const override {
    return (output_nr == 0 ? "Evaluation result score of " : "Evaluation result explanation of ") + role_.text();
  }
  std::size_t output_count() const override { return 2; }
  bool starts_backward() const override { return true; }

  Answer answer(const Feedback& feedback, std::span<const lm::Reply>) const override {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < judgement_->prediction->size(); ++i) texts.push_back(item_feedback(feedback, i));
    const bool batch = judgement_->prediction->is_batch();
    const bool all_well = std::all_of(texts.begin(), texts.end(), [](const std::string& text) { return text.empty(); });
    Data data = batch && !all_well ? Data(std::move(texts)) : Data(all_well ? std::string() : std::move(texts[0]));
    return {{feedback.wants(0) ? Gradient(detail::make_gradient(std::move(data))) : Gradient(), std::nullopt}};
  }

 protected:
  void release_saved() override { judgement_.reset(); }

 private:
  /// What the evaluator has to say, then what was said to its outputs.
  std::string item_feedback(const Feedback& feedback, std::size_t i) const {
    std::vector<std::string> texts{judgement_->feedback(i)};
    for (const Gradient& incoming : feedback.grad_outputs) {
      if (incoming) texts.push_back(incoming->data().item_text(incoming->is_batch() ? i : 0));
    }
    std::erase_if(texts, [](const std::string& text) { return text.empty(); });
    return texts.empty() ? std::string() : detail::join_items(texts);
  }

  std::string name_;
  Role role_;
  std::shared_ptr<const Judgement> judgement_;
};

/// The target as one Variable of the prediction's shape; a list of Variables becomes a batch.
Variable target_variable(const Input& target) {
  if (!target.is_list()) return target.variable();
  std::vector<std::shared_ptr<Storage>> storages;
  for (const Variable& item : target.list()) storages.push_back(item.impl()->storage);
  auto batch = Storage::pending_batch(storages.size());
  for (std::size_t i = 0; i < storages.size(); ++i) {
    detail::when_items({storages[i]}, 0, [batch, i, storage = storages[i]] {
      try {
        batch->set_item(i, storage->item(0));
      } catch (...) {
        batch->fail_item(i, std::current_exception());
      }
    });
  }
  return detail::make_variable(std::move(batch), Role("target"));
}

void check_sizes(const std::string& operation, const Variable& prediction, const Variable& target) {
  if (target.is_batch() && (!prediction.is_batch() || prediction.size() != target.size())) {
    throw ValueError(fmt::format("{}: the target has {} items, but the prediction \"{}\" {}", operation, target.size(), prediction.role(),
                                 prediction.is_batch() ? fmt::format("has {}", prediction.size()) : "is a scalar"));
  }
}

Evaluation evaluate(Judgement plan, const std::string& node_name, const Variable& prediction, const Input& target_input,
                    std::function<Data(const Data& prediction, const Data& target)> score) {
  const Variable target = target_variable(target_input);
  check_sizes(plan.operation, prediction, target);
  const std::array<Variable, 2> inputs{prediction, target};
  plan.prediction_role = prediction.impl()->role;
  plan.prediction = prediction.impl()->storage;
  plan.target = target.impl()->storage;
  plan.scores = detail::compute_items(plan.operation, inputs, [score = std::move(score)](std::size_t, std::span<const Data> items) {
    return score(items[0], items[1]);
  });
  const auto judgement = std::make_shared<const Judgement>(std::move(plan));

  const bool listed = judgement->options.reduction == Reduction::none && prediction.is_batch();
  auto scores = listed ? judgement->scores
                       : detail::compute_whole({judgement->scores}, [judgement] { return judgement->reduced_score(); });
  const std::array<Variable, 1> judged{detail::make_variable(judgement->scores, {})};
  auto explanation = listed ? detail::compute_items(judgement->operation, judged,
                                                    [judgement](std::size_t i, std::span<const Data>) { return judgement->explain_item(i); })
                            : detail::compute_whole({judgement->scores}, [judgement] { return judgement->summary(); });

  std::shared_ptr<EvaluatorBackward> node;
  if (detail::records_history(inputs)) node = std::make_shared<EvaluatorBackward>(inputs, node_name, judgement);
  return {detail::make_result(std::move(scores), Role::prefixed("Evaluation result score of ", prediction.impl()->role), node, 0),
          detail::make_result(std::move(explanation), Role::prefixed("Evaluation result explanation of ", prediction.impl()->role),
                              node, 1)};
}

Data exact_match(const Data& prediction, const Data& target) {
  if (prediction.is_text() != target.is_text()) {
    throw TypeError(fmt::format("exact_match_evaluator: the prediction is {} and the target {}; convert one of them, for example with "
                                "map(prediction, …)",
                                prediction.description(), target.description()));
  }
  const bool equal = prediction.is_text() ? prediction == target : prediction.real() == target.real();
  return equal ? 1 : 0;
}

}  // namespace

Evaluation exact_match_evaluator(const Variable& prediction, const Input& target, EvaluatorOptions options) {
  Judgement plan;
  plan.operation = "exact_match_evaluator";
  plan.prompt = "exact_match_feedback";
  plan.purpose = "exact match with the expected text";
  plan.options = std::move(options);
  return evaluate(std::move(plan), "ExactMatchEvaluatorBackward", prediction, target, exact_match);
}

Evaluation deterministic_evaluator(const Variable& prediction, const Input& target,
                                   std::function<double(const Data& prediction, const Data& target)> fn, std::string purpose,
                                   EvaluatorOptions options) {
  if (!fn) throw ValueError("deterministic_evaluator needs a function that scores a prediction against its target");
  Judgement plan;
  plan.operation = "deterministic_evaluator";
  plan.prompt = "score_feedback";
  plan.purpose = std::move(purpose);
  plan.options = std::move(options);
  return evaluate(std::move(plan), "DeterministicEvaluatorBackward", prediction, target,
                  [fn = std::move(fn)](const Data& item, const Data& target_item) -> Data { return fn(item, target_item); });
}

}  // namespace tgd
