#include "train/checkpoint.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>
#include <tgd/version.hpp>

#include "core/file.hpp"
#include "core/json_text.hpp"
#include "core/rethrow.hpp"

namespace tgd::detail {

namespace {

using Value = nlohmann::json;
using Line = nlohmann::ordered_json;

constexpr int format_version = 1;

/// Reasons quote language models, which may send anything.
std::string text_of(const Line& line) { return line.dump(-1, ' ', false, Line::error_handler_t::replace); }

template <class Object = Value>
Object to_value(const Metrics& metrics) {
  return {{"score", metrics.score}, {"samples", metrics.samples}, {"failed", metrics.failed}, {"metrics", metrics.named}};
}

Metrics metrics_of(const Value& value) {
  return {value.at("score"), value.at("samples"), value.at("failed"), value.at("metrics").get<std::map<std::string, double>>()};
}

Value to_value(const std::optional<ValidationReport>& report) {
  if (!report) return nullptr;
  Value value = to_value(report->metrics);
  value.update({{"epoch", report->epoch}, {"step", report->step}, {"is_best", report->is_best}});
  return value;
}

std::optional<ValidationReport> report_of(const Value& value) {
  if (value.is_null()) return std::nullopt;
  return ValidationReport{value.at("epoch"), value.at("step"), metrics_of(value), value.at("is_best")};
}

// Money in whole pico-USD: what is read is exactly what was written.
Value to_value(const lm::ModelCost& cost) {
  return {{"usage", cost.usage.to_json().value()},
          {"failed", cost.failed},
          {"cost_pico_usd", cost.cost.pico_usd()},
          {"unknown_calls", cost.unknown_calls},
          {"has_price", cost.has_price}};
}

lm::ModelCost cost_of(const Value& value) {
  return {lm::Usage::from_json(Json(value.at("usage"))), value.at("failed"), lm::Cost::from_pico_usd(value.at("cost_pico_usd")),
          value.at("unknown_calls"), value.at("has_price")};
}

Value to_value(const RunState& run) {
  Value values = Value::array();
  for (const Data& data : run.best_values) values.push_back(data.to_json().value());
  Value validation;
  if (run.validation) validation = {{"means", to_value(run.validation->means)}, {"samples", run.validation->samples}};
  return {{"epoch", run.epoch},
          {"step", run.step},
          {"step_in_epoch", run.step_in_epoch},
          {"validated_step", run.validated_step ? Value(*run.validated_step) : Value(nullptr)},
          {"since_best", run.since_best},
          {"seconds", run.seconds},
          {"first", to_value(run.first)},
          {"best", to_value(run.best)},
          {"best_values", std::move(values)},
          {"validation", std::move(validation)}};
}

RunState run_of(const Value& value) {
  RunState run;
  run.epoch = value.at("epoch");
  run.step = value.at("step");
  run.step_in_epoch = value.at("step_in_epoch");
  if (!value.at("validated_step").is_null()) run.validated_step = value.at("validated_step").get<std::size_t>();
  run.since_best = value.at("since_best");
  run.seconds = value.at("seconds");
  run.first = report_of(value.at("first"));
  run.best = report_of(value.at("best"));
  if (const Value& validation = value.at("validation"); !validation.is_null()) {
    run.validation = Scores{metrics_of(validation.at("means")), validation.at("samples").get<std::vector<double>>()};
  }
  for (const Value& data : value.at("best_values")) run.best_values.push_back(Data::from_json(Json(data)));
  return run;
}

Line to_line(const GateReport& gate) {
  const auto number = [](const std::optional<double>& value) { return value ? Line(*value) : Line(nullptr); };
  return {{"accepted", gate.accepted},
          {"reason", gate.reason},
          {"proposals", gate.proposals},
          {"batch_before", gate.batch_before},
          {"batch_after", gate.batch_after},
          {"validation_before", number(gate.validation_before)},
          {"validation_after", number(gate.validation_after)},
          {"chance", gate.chance}};
}

Line to_line(const optim::ParameterUpdate& update) {
  Line line{{"role", update.parameter.role()},
            {"outcome", optim::to_string(update.outcome)},
            {"edit_distance", update.edit_distance},
            {"requests", update.requests}};
  if (!update.reason.empty()) line["reason"] = update.reason;
  return line;
}

void check_version(const Value& value) {
  if (!value.is_object() || !value.contains("tgd_checkpoint")) throw ValueError("it is no checkpoint of a tgd run");
  const Value& version = value["tgd_checkpoint"];
  if (version.is_number_integer() && version.get<std::int64_t>() >= 1 && version.get<std::int64_t>() <= format_version) return;
  throw ValueError(fmt::format("its format is {}, and this tgd ({}) reads up to {}: use the tgd that wrote it, or a newer one",
                               version.dump(), tgd::version(), format_version));
}

}  // namespace

void write_text(const Checkpoint& checkpoint, std::span<const std::shared_ptr<optim::Optimizer>> optimizers,
                std::string& text) {
  Value usage = Value::object();
  for (const auto& [name, used] : checkpoint.usage) usage[name] = used.to_json().value();
  Value cost = Value::object();
  for (const auto& [name, model] : checkpoint.cost.models) cost[name] = to_value(model);

  text.clear();
  text += fmt::format("{{\"tgd_checkpoint\": {}", format_version);
  const auto add = [&text](std::string_view name, const Value& value) {
    text.append(",\n\"").append(name).append("\": ");
    append_json(text, value);
  };
  add("agent", checkpoint.agent);
  add("run", to_value(checkpoint.run));
  add("usage", usage);
  add("cost", cost);
  add("interval", checkpoint.interval);
  add("metrics_bytes", checkpoint.metrics_bytes);
  add("state", checkpoint.agent_state.value());
  text += ",\n\"optimizers\": [";
  for (std::size_t i = 0; i < optimizers.size(); ++i) {
    if (i > 0) text += ",\n";
    optimizers[i]->append_state(text);
  }
  text += "]";
  add("loader", checkpoint.loader.value());
  text += "}\n";
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  try {
    const Value value = Value::parse(read_file(path));
    check_version(value);
    Checkpoint checkpoint;
    checkpoint.agent = value.at("agent");
    checkpoint.run = run_of(value.at("run"));
    checkpoint.interval = value.at("interval");
    checkpoint.metrics_bytes = value.at("metrics_bytes");
    checkpoint.agent_state = Json(value.at("state"));
    for (const Value& optimizer : value.at("optimizers")) checkpoint.optimizers.push_back(Json(optimizer));
    checkpoint.loader = Json(value.at("loader"));
    for (const auto& [name, used] : value.at("usage").items()) checkpoint.usage[name] = lm::Usage::from_json(Json(used));
    for (const auto& [name, model] : value.at("cost").items()) checkpoint.cost.models[name] = cost_of(model);
    return checkpoint;
  } catch (...) {
    rethrow_with_prefix(fmt::format("the checkpoint {} cannot be used: ", path.string()));
  }
}

std::string config_text(const TrainerOptions& options, std::optional<std::size_t> batches) {
  const Line config{
      {"tgd", tgd::version()},
      {"max_epochs", options.max_epochs},
      {"batches_in_epoch", batches ? Line(*batches) : Line(nullptr)},
      {"validate_every", options.validate_every},
      {"higher_is_better", options.higher_is_better},
      {"limits",
       {{"max_steps", options.max_steps},
        {"max_seconds", options.max_time.count()},
        {"max_calls", options.max_calls},
        {"max_tokens", options.max_tokens},
        {"max_cost_usd", options.max_cost}}},
      {"early_stopping", {{"patience", options.early_stopping.patience}, {"min_delta", options.early_stopping.min_delta}}},
      {"gate",
       {{"confidence", options.gate.confidence},
        {"proposals", options.gate.proposals},
        {"takes", options.gate.takes == GateRule::better ? "better" : "not_worse"}}},
      {"keep_checkpoints", options.keep_checkpoints}};
  return config.dump(2) + "\n";
}

std::string metrics_line(const StepReport& report) {
  Line line{{"kind", "step"}, {"epoch", report.epoch}, {"step", report.step}};
  line.update(to_value<Line>(report.metrics));
  Line updates = Line::array();
  for (const optim::ParameterUpdate& update : report.updates) updates.push_back(to_line(update));
  line["updates"] = std::move(updates);
  if (report.gate) line["gate"] = to_line(*report.gate);
  return text_of(line);
}

std::string metrics_line(const ValidationReport& report) {
  Line line{{"kind", "validation"}, {"epoch", report.epoch}, {"step", report.step}};
  line.update(to_value<Line>(report.metrics));
  line["is_best"] = report.is_best;
  return text_of(line);
}

}  // namespace tgd::detail
