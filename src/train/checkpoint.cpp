#include "train/checkpoint.hpp"

#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>
#include <tgd/version.hpp>

#include "core/enum_names.hpp"
#include "core/file.hpp"
#include "core/json_reader.hpp"
#include "core/json_text.hpp"
#include "core/rethrow.hpp"
#include "train/gatekeeper.hpp"

namespace tgd::detail {

namespace {

using Value = nlohmann::ordered_json;
using Reader = JsonReader<Value>;
using Line = Value;

constexpr int format_version = 2;
constexpr double most_seconds = 1e9;

Value to_value(const Metrics& metrics) {
  return {{"score", metrics.score}, {"samples", metrics.samples}, {"failed", metrics.failed}, {"metrics", metrics.named}};
}

Metrics metrics_of(const Reader& from) {
  Metrics metrics{
      .score = from.at("score").number(), .samples = from.at("samples").count(), .failed = from.at("failed").count()};
  for (const auto& [name, value] : from.at("metrics").members()) metrics.named[name] = value.number();
  return metrics;
}

Value to_value(const std::optional<ValidationReport>& report) {
  if (!report) return nullptr;
  Value value = to_value(report->metrics);
  value.update({{"epoch", report->epoch}, {"step", report->step}, {"is_best", report->is_best}});
  return value;
}

std::optional<ValidationReport> report_of(const Reader& from) {
  if (from.is_null()) return std::nullopt;
  return ValidationReport{from.at("epoch").count(), from.at("step").count(), metrics_of(from), from.at("is_best").flag()};
}

// Money in whole pico-USD: what is read is exactly what was written.
Value to_value(const lm::ModelCost& cost) {
  return {{"usage", cost.usage.to_json().value()},
          {"failed", cost.failed},
          {"cost_pico_usd", cost.cost.pico_usd()},
          {"unknown_calls", cost.unknown_calls},
          {"has_price", cost.has_price}};
}

lm::Usage usage_of(const Reader& from) {
  return from.in_place([&] { return lm::Usage::from_json(from.json()); });
}

std::int64_t whole(const Reader& from) {
  return static_cast<std::int64_t>(from.count(std::numeric_limits<std::int64_t>::max()));
}

lm::ModelCost cost_of(const Reader& from) {
  return {usage_of(from.at("usage")), whole(from.at("failed")), lm::Cost::from_pico_usd(whole(from.at("cost_pico_usd"))),
          whole(from.at("unknown_calls")), from.at("has_price").flag()};
}

CallCounts counts_of(const Reader& from) {
  CallCounts counts{.cached = whole(from.at("cached"))};
  for (const auto& [purpose, count] : from.at("by_purpose").members()) counts.by_purpose[purpose] = whole(count);
  return counts;
}

Data data_of(const Reader& from) {
  return from.in_place([&] { return Data::from_json(from.json()); });
}

/// A batch's number, which is a name in JSON.
std::size_t number_of(const std::string& name, const Reader& from) {
  constexpr std::size_t most_digits = 15;
  const bool is_number =
      !name.empty() && name.size() <= most_digits && name.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number) from.fail("this is the number of no batch");
  return std::stoul(name);
}

/// {"batches": 30, "versions": {"<version>": {"<batch>": {"means": …, "samples": […]}}}}
Value to_value(const ScoreTable& table) {
  Value versions = Value::object();
  for (const auto& [version, batches] : table.versions()) {
    Value& row = versions[version] = Value::object();
    for (const auto& [batch, scores] : batches)
      row[std::to_string(batch)] = {
          {"means", to_value(scores.means)}, {"samples", scores.samples}, {"measured", scores.measured}};
  }
  return {{"batches", table.count ? Value(*table.count) : Value(nullptr)}, {"versions", std::move(versions)}};
}

Scores scores_of(const Reader& from) {
  Scores scores{metrics_of(from.at("means")), from.at("samples").numbers()};
  const Reader measured = from.at("measured");
  for (const auto& [name, count] : measured.members()) scores.measured[name] = count.count();
  for (const auto& entry : scores.means.named) {
    if (scores.measured[entry.first] == 0) measured.fail("a metric has a mean and no samples");
  }
  return scores;
}

ScoreTable table_of(const Reader& from) {
  ScoreTable table;
  if (const Reader batches = from.at("batches"); !batches.is_null()) table.count = batches.count();
  for (const auto& [version, batches] : from.at("versions").members()) {
    for (const auto& [batch, scores] : batches.members()) table.set(version, number_of(batch, scores), scores_of(scores));
  }
  return table;
}

Value to_value(const SearchState& search) {
  return {{"steps", search.steps},
          {"taken", search.taken},
          {"first", search.first},
          {"incumbent", search.incumbent},
          {"tried", search.tried}};
}

std::vector<std::string> texts_of(const Reader& from) {
  std::vector<std::string> texts;
  for (const Reader& text : from.items()) texts.push_back(text.text());
  return texts;
}

SearchState search_of(const Reader& from) {
  const Reader first = from.at("first");
  SearchState search{.steps = from.at("steps").count(),
                     .taken = from.at("taken").count(),
                     .first = texts_of(first),
                     .incumbent = texts_of(from.at("incumbent")),
                     .tried = texts_of(from.at("tried"))};
  if (search.first.size() != search.incumbent.size()) first.fail("there are not as many first values as later ones");
  return search;
}

Value to_value(const RunState& run) {
  Value values = Value::array();
  for (const Data& data : run.best_values) values.push_back(data.to_json().value());
  return {{"epoch", run.epoch},
          {"step", run.step},
          {"step_in_epoch", run.step_in_epoch},
          {"validated_step", run.validated_step ? Value(*run.validated_step) : Value(nullptr)},
          {"since_best", run.since_best},
          {"seconds", run.seconds},
          {"first", to_value(run.first)},
          {"best", to_value(run.best)},
          {"best_values", std::move(values)},
          {"steps_without_batch", run.steps_without_batch},
          {"calls_of_sample", run.calls_of_sample},
          {"scores", to_value(run.scores)},
          {"search", to_value(run.search)},
          {"failed", {{"names", run.failed.names}, {"nameless", run.failed.nameless}}},
          {"samples_seen", run.samples_seen}};
}

RunState run_of(const Reader& from) {
  RunState run;
  run.epoch = from.at("epoch").count();
  run.step = from.at("step").count();
  run.step_in_epoch = from.at("step_in_epoch").count();
  if (const Reader step = from.at("validated_step"); !step.is_null()) run.validated_step = step.count();
  run.since_best = from.at("since_best").count();
  const Reader seconds = from.at("seconds");
  run.seconds = seconds.number();
  if (run.seconds < 0 || run.seconds > most_seconds) seconds.fail("no run has taken so long");
  run.first = report_of(from.at("first"));
  run.best = report_of(from.at("best"));
  // Earlier versions had none of these.
  if (const auto steps = from.find("steps_without_batch")) run.steps_without_batch = steps->count(run.step);
  if (const auto calls = from.find("calls_of_sample")) run.calls_of_sample = whole(*calls);
  if (const auto scores = from.find("scores")) run.scores = table_of(*scores);
  if (const auto search = from.find("search")) run.search = search_of(*search);
  if (const auto failed = from.find("failed")) {  // earlier checkpoints have none
    for (std::string& name : failed->at("names").texts()) run.failed.names.insert(std::move(name));
    run.failed.nameless = failed->at("nameless").count();
    run.samples_seen = from.at("samples_seen").count();
  }
  for (const Reader& data : from.at("best_values").items()) run.best_values.push_back(data_of(data));
  if (run.first.has_value() != run.best.has_value())
    from.at("best").fail("\"first\" and \"best\" are there both or not at all");
  if (!run.best && !run.best_values.empty()) from.at("best_values").fail("these are values of no validation");
  return run;
}

template <class T>
Line or_null(const std::optional<T>& value) {
  return value ? Line(*value) : Line(nullptr);
}

Line to_line(const GateReport& gate) {
  return {{"accepted", gate.accepted},
          {"reason", gate.reason},
          {"proposals", gate.proposals},
          {"batch_before", gate.batch_before},
          {"batch_after", gate.batch_after},
          {"validation_before", or_null(gate.validation_before)},
          {"validation_after", or_null(gate.validation_after)},
          {"p_value", gate.p_value}};
}

Line to_line(const SearchReport& search) {
  Line line{{"step", search.step}, {"proposals", Line::array()}};
  for (const SearchReport::Proposal& proposal : search.proposals) {
    Line shown{{"aim", proposal.aim}, {"samples", proposal.samples}, {"gain", proposal.gain}};
    if (!proposal.reason.empty()) shown["reason"] = proposal.reason;
    line["proposals"].push_back(std::move(shown));
  }
  if (const auto& race = search.race) {
    line["race"] = {{"accepted", race->accepted}, {"steps", race->steps},      {"samples", race->samples},
                    {"wins", race->wins},         {"losses", race->losses},    {"incumbent", race->incumbent},
                    {"head", race->head},         {"evidence", race->evidence}};
  }
  if (const auto& confirmation = search.confirmation) {
    line["confirmation"] = {{"confirmed", confirmation->confirmed}, {"kept", confirmation->kept},
                            {"samples", confirmation->samples},     {"first", confirmation->first},
                            {"last", confirmation->last},           {"p_value", confirmation->p_value}};
  }
  return line;
}

Line to_line(const optim::ParameterUpdate& update) {
  Line line{{"role", update.parameter.role()},
            {"outcome", optim::to_string(update.outcome)},
            {"edit_distance", update.edit_distance},
            {"requests", update.requests}};
  if (!update.reason.empty()) line["reason"] = update.reason;
  return line;
}

void check_version(const Reader& root) {
  const auto version = root.json().is_object() ? root.find("tgd_checkpoint") : std::nullopt;
  if (!version) root.fail("it is no checkpoint of a tgd run");
  const Value& number = version->json();
  if (number.is_number_integer() && number >= 1 && number <= format_version) return;
  version->fail(fmt::format("its format is {}, and this tgd ({}) reads up to {}: use the tgd that wrote it, or a newer one",
                            number.dump(), tgd::version(), format_version));
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
  add("calls", {{"by_purpose", checkpoint.calls.by_purpose}, {"cached", checkpoint.calls.cached}});
  add("journal", {{"bytes", checkpoint.journal.bytes}, {"interval", checkpoint.journal.interval}});
  add("state", checkpoint.agent_state.value());
  text += ",\n\"optimizers\": [";
  for (std::size_t i = 0; i < optimizers.size(); ++i) {
    if (i > 0) text += ",\n";
    optim::detail::append_state(text, *optimizers[i]);
  }
  text += "]";
  add("loader", checkpoint.loader.value());
  text += "}\n";
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  try {
    const JsonDocument<Value> document(path.string(), read_file(path));
    const Reader root = document.root();
    check_version(root);
    Checkpoint checkpoint;
    checkpoint.path = path;
    checkpoint.agent = root.at("agent").text();
    checkpoint.run = run_of(root.at("run"));
    // Those of the first format belong to a journal that is read no longer.
    if (const auto journal = root.find("journal"))
      checkpoint.journal = {journal->at("bytes").count(), journal->at("interval").count()};
    if (const auto calls = root.find("calls")) checkpoint.calls = counts_of(*calls);
    checkpoint.agent_state = root.at("state").object();
    for (const Reader& optimizer : root.at("optimizers").items()) checkpoint.optimizers.emplace_back(optimizer.json());
    checkpoint.loader = root.at("loader").json();
    for (const auto& [name, used] : root.at("usage").members()) checkpoint.usage[name] = usage_of(used);
    for (const auto& [name, model] : root.at("cost").members()) checkpoint.cost.models[name] = cost_of(model);
    return checkpoint;
  } catch (...) {
    rethrow_with_prefix("the checkpoint cannot be used: ");
  }
}

namespace {

Line names_of(const std::vector<FirstProposal>& proposals) {
  Line names = Line::array();
  for (const FirstProposal& proposal : proposals) names.push_back(proposal.name);
  return names;
}

Line limits_json(const std::map<std::string, Limits>& limits) {
  Line json = Line::object();
  for (const auto& [name, limit] : limits) {
    json[name] = Line::object();
    if (limit.min) json[name]["min"] = *limit.min;
    if (limit.max) json[name]["max"] = *limit.max;
  }
  return json;
}

}  // namespace

std::string config_text(const TrainerOptions& options, std::optional<std::size_t> batches) {
  const Line config{{"tgd", tgd::version()},
                    {"max_epochs", options.max_epochs},
                    {"batches_in_epoch", or_null(batches)},
                    {"validate_every", or_null(options.validate_every)},
                    {"higher_is_better", options.higher_is_better},
                    {"limits",
                     {{"max_steps", or_null(options.max_steps)},
                      {"max_seconds", options.max_time ? Line(options.max_time->count()) : Line(nullptr)},
                      {"max_calls", or_null(options.max_calls)},
                      {"max_tokens", or_null(options.max_tokens)},
                      {"max_cost_usd", or_null(options.max_cost)}}},
                    {"early_stopping",
                     {{"patience", or_null(options.early_stopping.patience)}, {"min_delta", options.early_stopping.min_delta}}},
                    {"gate",
                     {{"confidence", or_null(options.gate.confidence)},
                      {"proposals", options.gate.proposals},
                      {"takes", name_in(gate_rule_names, options.gate.takes)}}},
                    {"keep", limits_json(options.keep)},
                    {"search",
                     {{"chain", options.search.chain},
                      {"proposals", options.search.proposals},
                      {"confirm", options.search.confirm},
                      {"confidence", options.search.confidence},
                      {"keep_unconfirmed", options.search.keep_unconfirmed},
                      {"seed", options.search.seed}}},
                    {"first_proposals", names_of(options.first_proposals)},
                    {"keep_checkpoints", options.keep_checkpoints}};
  return json_text(config, 2) + "\n";
}

namespace {

std::string race_line(const StepReport& report) {
  const RaceReport& race = *report.race;
  Line line{{"kind", "race"}, {"epoch", report.epoch}, {"step", report.step}, {"accepted", race.accepted}};
  line["best"] = race.best ? Line(race.entries[*race.best].name) : Line(nullptr);
  line["proposals"] = Line::array();
  for (const RaceReport::Entry& entry : race.entries) {
    Line shown{{"name", entry.name}, {"samples", entry.samples}, {"score", entry.score}};
    if (!entry.reason.empty()) shown["reason"] = entry.reason;
    line["proposals"].push_back(std::move(shown));
  }
  return json_text(line);
}

}  // namespace

std::string metrics_line(const StepReport& report) {
  if (report.race) return race_line(report);
  if (report.search && report.search->step == 0)
    return json_text(
        Line{{"kind", "search"}, {"epoch", report.epoch}, {"step", report.step}, {"search", to_line(*report.search)}});
  Line line{{"kind", "step"}, {"epoch", report.epoch}, {"step", report.step}};
  line.update(to_value(report.metrics));
  Line updates = Line::array();
  for (const optim::ParameterUpdate& update : report.updates) updates.push_back(to_line(update));
  line["updates"] = std::move(updates);
  if (report.gate) line["gate"] = to_line(*report.gate);
  if (report.search) line["search"] = to_line(*report.search);
  return json_text(line);
}

std::string metrics_line(const ValidationReport& report) {
  Line line{{"kind", "validation"}, {"epoch", report.epoch}, {"step", report.step}};
  line.update(to_value(report.metrics));
  line["is_best"] = report.is_best;
  return json_text(line);
}

}  // namespace tgd::detail
