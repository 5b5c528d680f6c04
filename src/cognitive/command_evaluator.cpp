#include <tgd/cognitive/command_evaluator.hpp>

#include <array>
#include <cmath>
#include <string_view>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "cognitive/judgement.hpp"
#include "core/one_line.hpp"
#include "core/rethrow.hpp"
#include "core/seconds.hpp"
#include "core/worker.hpp"

namespace tgd {

namespace {

using detail::Judgement;
using detail::Storage;
using detail::Worker;
using StoragePtr = std::shared_ptr<Storage>;

constexpr const char* command_operation = "command_evaluator";

/// What the command said about an item.
struct Measurement {
  double score = 0;
  std::string feedback = {};
};

struct Scale {
  double best = 1;
  bool higher_is_better = true;
};

/// The measurement, or what is wrong with the reply.
std::variant<Measurement, std::string> read_measurement(const nlohmann::json& reply, const Scale& scale) {
  const auto text = [](const nlohmann::json& value) {
    return detail::in_quotes(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  };
  const auto score = reply.find("score");
  if (score == reply.end()) return "its answer has no \"score\": " + text(reply);
  const double number = score->is_number() ? score->get<double>() : std::nan("");
  if (!std::isfinite(number)) return fmt::format("its \"score\" is no number: {}", text(*score));
  if (scale.higher_is_better ? number > scale.best : number < scale.best)
    return fmt::format("its \"score\", {}, is better than \"best_score\", {}", number, scale.best);
  const auto feedback = reply.find("feedback");
  if (feedback == reply.end() || feedback->is_null()) return Measurement{number};
  if (!feedback->is_string()) return fmt::format("its \"feedback\" is no text: {}", text(*feedback));
  return Measurement{number, feedback->get<std::string>()};
}

nlohmann::ordered_json json_of(const Data& item) {
  if (item.is_text()) return item.text();
  return item.kind() == Data::Kind::integer ? nlohmann::ordered_json(item.integer()) : nlohmann::ordered_json(item.real());
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

  nlohmann::ordered_json question(std::size_t i) const {
    nlohmann::ordered_json json{{"prediction", json_of(prediction->item(i))}};
    json["target"] = target ? json_of(target->item(i)) : nlohmann::ordered_json(nullptr);
    json["sample"] = json_of(answered->origin(i));
    json["inputs"] = nlohmann::ordered_json::object();
    for (const auto& [name, storage] : inputs) json["inputs"][name] = json_of(storage->item(i));
    return json;
  }

  void take(std::size_t i, Worker::Answer answer) {
    if (answer.error) return answered->fail_item(i, answer.error);
    if (!answer.problem.empty()) return take_problem(i, answer.problem);
    auto read = read_measurement(answer.reply, scale);
    if (const auto* problem = std::get_if<std::string>(&read))
      return take_problem(i, "the command gave no usable answer: " + *problem);
    measurements.set(i, std::get<Measurement>(std::move(read)));
    answered->set_item(i, "");
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

void measure(const std::shared_ptr<Measuring>& measuring, const std::weak_ptr<Worker>& weak_worker, std::size_t i,
             const std::shared_ptr<const Storage::Owed>& owed) {
  try {
    for (const StoragePtr& storage : measuring->needed()) {
      if (const auto problem = storage->problem(i)) return measuring->answered->set_item(i, "", problem);
    }
    const std::shared_ptr<Worker> worker = weak_worker.lock();
    if (!worker) throw StateError("command_evaluator: the CommandEvaluator has ended; keep it until its scores have been read");
    worker->ask(measuring->question(i), [measuring, i, owed](Worker::Answer answer) { measuring->take(i, std::move(answer)); });
  } catch (...) {
    measuring->answered->fail_item(i, std::current_exception());
  }
}

detail::WorkerOptions worker_options(CommandOptions options) {
  return {.command = std::move(options.run),
          .folder = std::move(options.folder),
          .environment = std::move(options.env),
          .processes = options.workers,
          .timeout = detail::span_of_seconds(options.timeout_seconds, "CommandOptions::timeout_seconds")};
}

}  // namespace

struct CommandEvaluator::Impl {
  std::shared_ptr<Worker> worker;
};

CommandEvaluator::CommandEvaluator(CommandOptions options)
    : impl_(std::make_unique<const Impl>(Impl{std::make_shared<Worker>(worker_options(std::move(options)))})) {}

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
  measuring->prediction = prediction.impl()->storage;
  if (target) measuring->target = judged[1].impl()->storage;
  std::vector<Variable> all = judged;
  for (const auto& [name, input] : inputs) {
    all.push_back(detail::target_variable(input));
    measuring->inputs.emplace_back(name, all.back().impl()->storage);
  }
  const auto size = detail::batch_size(command_operation, all);
  if (size && !prediction.is_batch())
    throw ValueError(fmt::format("{}: the prediction \"{}\" is a scalar, but another input is a list", command_operation,
                                 prediction.role()));
  measuring->answered = size ? Storage::pending_batch(*size) : Storage::pending_scalar();
  detail::inherit_origins(*measuring->answered, measuring->needed());
  measuring->scale = {scoring.best_score, scoring.evaluator.higher_is_better};
  measuring->on_error = scoring.evaluator.on_error;
  for (std::size_t i = 0; i < size.value_or(1); ++i) {
    detail::when_items(measuring->needed(), i,
                       [measuring, worker = std::weak_ptr<Worker>(impl_->worker), i,
                        owed = Storage::owed(measuring->answered, i)] { measure(measuring, worker, i, owed); });
  }

  Judgement plan;
  plan.operation = command_operation;
  plan.node_name = "CommandEvaluatorBackward";
  plan.prompt = "judge_feedback";
  plan.prompt_without_explanation = target ? "score_feedback" : "";
  plan.purpose = "a metric of its own";
  plan.prediction_role = prediction.impl()->role;
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
  plan.explanations = detail::compute_items(plan.operation, answered, {feedback});
  return detail::judge_prediction(std::move(plan), judged);
}

}  // namespace tgd
