#include <tgd/cognitive/command_evaluator.hpp>

#include <array>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <tgd/lm/command.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "cognitive/command_answer.hpp"
#include "cognitive/judgement.hpp"
#include "core/executor.hpp"
#include "core/problem.hpp"
#include "core/rethrow.hpp"

namespace tgd {

namespace {

using detail::Judgement;
using detail::Storage;
using StoragePtr = std::shared_ptr<Storage>;

constexpr const char* command_operation = "command_evaluator";

/// What the command said about an item.
struct Measurement {
  double score = 0;
  std::string feedback = {};
  std::map<std::string, double> metrics = {};
};

struct Scale {
  double best = 1;
  bool higher_is_better = true;
  std::string optimize = {};  // the metric that is the score
};

/// The measurement, or what is wrong with the answer.
std::variant<Measurement, std::string> read_measurement(const nlohmann::ordered_json& answer, const Scale& scale) {
  using detail::quoted_json;
  Measurement measurement;
  if (const auto metrics = answer.find("metrics"); metrics != answer.end() && !metrics->is_null()) {
    if (!metrics->is_object()) return "its \"metrics\" are no object, such as {\"length\": 12}: " + quoted_json(*metrics);
    for (const auto& [name, value] : metrics->items()) {
      const double number = value.is_number() ? value.get<double>() : std::nan("");
      if (!std::isfinite(number)) return fmt::format("its metric \"{}\" is no number: {}", name, quoted_json(value));
      measurement.metrics.emplace(name, number);
    }
  }
  if (!scale.optimize.empty()) {
    const auto found = measurement.metrics.find(scale.optimize);
    if (found == measurement.metrics.end())
      return fmt::format("it has no metric \"{}\", which is to be optimized: {}", scale.optimize, quoted_json(answer));
    measurement.score = found->second;
  } else {
    const auto score = answer.find("score");
    if (score == answer.end()) return "it has no \"score\": " + quoted_json(answer);
    measurement.score = score->is_number() ? score->get<double>() : std::nan("");
    if (!std::isfinite(measurement.score))
      return fmt::format("its \"score\" is no number: {}{}", quoted_json(*score),
                         score->is_boolean() ? fmt::format(" (write {})", score->get<bool>() ? 1 : 0) : "");
  }
  if (scale.higher_is_better ? measurement.score > scale.best : measurement.score < scale.best)
    return fmt::format("its {}, {}, is better than \"best_score\", {}: set that to the best that it can give",
                       scale.optimize.empty() ? "\"score\"" : "metric \"" + scale.optimize + "\"", measurement.score,
                       scale.best);
  const auto feedback = answer.find("feedback");
  if (feedback == answer.end() || feedback->is_null()) return measurement;
  if (!feedback->is_string()) return fmt::format("its \"feedback\" is no text: {}", quoted_json(*feedback));
  measurement.feedback = feedback->get<std::string>();
  return measurement;
}

nlohmann::ordered_json json_of(const SampleOrigin* origin) {
  if (origin == nullptr) return nullptr;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (origin->file) json["file"] = *origin->file;
  json["row"] = origin->row;
  if (origin->line > 0) json["line"] = origin->line;
  return json;
}

/// One evaluation: what is asked about, and where the answers go.
struct Measuring {
  StoragePtr prediction;
  StoragePtr target;  // null without one
  std::vector<std::pair<std::string, StoragePtr>> inputs;
  StoragePtr answered;  // an empty text for each item that was measured
  detail::PerItem<Measurement> measurements;
  Scale scale;
  OnError on_error = OnError::fail;

  std::vector<StoragePtr> needed() const {
    std::vector<StoragePtr> all{prediction};
    if (target) all.push_back(target);
    for (const auto& input : inputs) all.push_back(input.second);
    return all;
  }

  lm::Request request(std::size_t i) const { return detail::command_request(question(i), "measure", i); }

  nlohmann::ordered_json question(std::size_t i) const {
    nlohmann::ordered_json json{{"prediction", detail::item_json(prediction->item(i))}};
    json["target"] = target ? detail::item_json(target->item(i)) : nlohmann::ordered_json(nullptr);
    json["sample"] = json_of(answered->origin(i));
    json["inputs"] = nlohmann::ordered_json::object();
    for (const auto& [name, storage] : inputs) json["inputs"][name] = detail::item_json(storage->item(i));
    return json;
  }

  void take(std::size_t i, const lm::Outcome& outcome, const std::weak_ptr<lm::ChatModel>& command) {
    if (!outcome.ok()) {
      const auto fault = detail::own_fault(outcome.error());
      return fault ? take_problem(i, to_string(*fault)) : answered->fail_item(i, outcome.error());
    }
    auto read = read_measurement(detail::command_answer(outcome.value()), scale);
    if (const auto* problem = std::get_if<std::string>(&read)) {
      if (on_error == OnError::fail) reject(i, command);
      return take_problem(i, detail::unusable_answer(*problem));
    }
    measurements.set(i, std::get<Measurement>(std::move(read)));
    answered->set_item(i, "");
  }

  /// It ends the operation, and whoever repeats that wants another answer.
  void reject(std::size_t i, const std::weak_ptr<lm::ChatModel>& weak_command) const {
    std::shared_ptr<lm::ChatModel> command = weak_command.lock();
    if (!command) return;
    command->reject(request(i));
    detail::Executor::shared().post([command = std::move(command)] {});  // not on a thread of its own, which its end waits for
  }

  void take_problem(std::size_t i, const std::string& text) {
    if (on_error == OnError::keep)
      return answered->set_item(i, "",
                                std::make_shared<const Problem>(Problem{.kind = Problem::Kind::unreadable, .text = text}));
    const std::string item = answered->item_name(i);
    answered->fail_item(i, std::make_exception_ptr(
                               ParseError(fmt::format("{}: {}{}{}", command_operation, item, item.empty() ? "" : ": ", text))));
  }
};

void measure(const std::shared_ptr<Measuring>& measuring, const std::weak_ptr<lm::ChatModel>& weak_command, std::size_t i,
             const std::shared_ptr<const Storage::Owed>& owed) {
  try {
    for (const StoragePtr& storage : measuring->needed()) {
      if (const auto problem = storage->problem(i)) return measuring->answered->set_item(i, "", problem);
    }
    const std::shared_ptr<lm::ChatModel> command = weak_command.lock();
    if (!command)
      throw StateError("command_evaluator: the CommandEvaluator has ended; keep it until its scores have been read");
    command->start(measuring->request(i), [measuring, i, owed, weak_command](const lm::Outcome& outcome) {
      measuring->take(i, outcome, weak_command);
    });
  } catch (...) {
    measuring->answered->fail_item(i, std::current_exception());
  }
}

}  // namespace

struct CommandEvaluator::Impl {
  lm::ChatModelPtr command;
};

CommandEvaluator::CommandEvaluator(CommandOptions options)
    : CommandEvaluator(std::make_shared<lm::Command>(std::move(options))) {}

CommandEvaluator::CommandEvaluator(lm::ChatModelPtr command) {
  if (!command) throw ValueError("a CommandEvaluator needs a command; it was given none");
  impl_ = std::make_unique<const Impl>(Impl{std::move(command)});
}

CommandEvaluator::~CommandEvaluator() = default;

Evaluation CommandEvaluator::operator()(const Variable& prediction, const std::optional<Input>& target, const Inputs& inputs,
                                        CommandScoring scoring, Place place) const {
  const detail::CalledFrom called(place);
  std::vector<Variable> judged{prediction};
  if (target) {
    judged.push_back(detail::target_variable(*target));
    detail::check_sizes(command_operation, prediction, judged[1]);
  }
  const auto measuring = std::make_shared<Measuring>();
  measuring->prediction = tgd::detail::impl_of(prediction)->storage;
  if (target) measuring->target = tgd::detail::impl_of(judged[1])->storage;
  std::vector<Variable> all = judged;
  for (const auto& [name, input] : inputs) {
    all.push_back(detail::target_variable(input));
    measuring->inputs.emplace_back(name, tgd::detail::impl_of(all.back())->storage);
  }
  const auto size = detail::batch_size(command_operation, all);
  if (size && !prediction.is_batch())
    throw ValueError(fmt::format("{}: the prediction \"{}\" is a scalar, but another input is a list", command_operation,
                                 prediction.role()));
  measuring->answered = size ? Storage::pending_batch(*size) : Storage::pending_scalar();
  detail::inherit_origins(*measuring->answered, measuring->needed());
  measuring->scale = {scoring.best_score, scoring.evaluator.higher_is_better, std::move(scoring.optimize)};
  measuring->on_error = scoring.evaluator.on_error;
  for (std::size_t i = 0; i < size.value_or(1); ++i) {
    detail::when_items(measuring->needed(), i,
                       [measuring, command = std::weak_ptr<lm::ChatModel>(impl_->command), i,
                        owed = Storage::owed(measuring->answered, i)] { measure(measuring, command, i, owed); });
  }

  Judgement plan;
  plan.operation = command_operation;
  plan.node_name = "CommandEvaluatorBackward";
  plan.prompt = "judge_feedback";
  plan.prompt_without_explanation = target ? "score_feedback" : "";
  plan.purpose = "a metric of its own";
  plan.prediction_role = tgd::detail::impl_of(prediction)->role;
  plan.prediction = measuring->prediction;
  plan.target = measuring->target;
  plan.best_score = scoring.best_score;
  plan.options = std::move(scoring.evaluator);
  const std::array<Variable, 1> answered{detail::make_variable(measuring->answered, {})};
  const auto score = [measuring](std::size_t i, std::span<const Data>) -> Data { return measuring->measurements.of(i).score; };
  const auto feedback = [measuring](std::size_t i, std::span<const Data>) -> Data {
    std::string text = measuring->measurements.of(i).feedback;
    return text.empty() && !measuring->target ? "(it says no more than the score)" : text;
  };
  plan.scores = detail::compute_items(plan.operation, answered, detail::scoring(plan, score));
  plan.scores->add_metrics([measuring](std::size_t i) {
    const auto found = measuring->measurements.find(i);
    return found ? found->metrics : std::map<std::string, double>();
  });
  plan.explanations = detail::compute_items(plan.operation, answered, {feedback});
  return detail::judge_prediction(std::move(plan), judged);
}

}  // namespace tgd
