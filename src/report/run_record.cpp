#include "report/run_record.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "core/json_parser.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"
#include "run/folder.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> run_files = {"task.json",      "result.json",   "metrics.jsonl",
                                                       "versions.jsonl", "samples.jsonl", "calls.jsonl"};

bool is_run_folder(const fs::path& folder) {
  std::error_code error;
  return std::any_of(run_files.begin(), run_files.end(),
                     [&](std::string_view name) { return fs::is_regular_file(folder / name, error); });
}

/// The last run below a folder such as "runs", for whoever gave that one.
std::optional<fs::path> newest_run_in(const fs::path& folder) {
  std::optional<fs::path> newest;
  fs::file_time_type time;
  for (const fs::path& run : run_folders_in(folder)) {
    std::error_code ignored;
    const fs::file_time_type written = fs::last_write_time(run, ignored);
    if (newest && written <= time) continue;
    newest = run;
    time = written;
  }
  return newest;
}

void expect_run_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) {
    throw TaskError(folder.string() + " does not exist; give the run folder that `tgd optimize` names at its end");
  }
  if (!fs::is_directory(folder, error)) {
    throw TaskError(folder.string() + " is a file; give the run folder that it is in");
  }
  if (is_run_folder(folder)) return;
  const std::optional<fs::path> newest = newest_run_in(folder);
  throw TaskError(
      fmt::format("{} is no run folder: it has none of {}; {}", folder.string(), fmt::join(run_files, ", "),
                  newest ? "did you mean " + newest->string() + "?" : "give the folder that `tgd optimize` names at its end"));
}

// ---- Values -----------------------------------------------------------------------------------------------------------
// Whatever is not what it should be throws ParseError, and the line is passed over.

std::size_t optional_whole(const LineReader& object, std::string_view key) {
  const auto member = object.find(key);
  return member ? member->count() : 0;
}

/// What a call can have of something; sums of them stay far from what a number holds.
std::optional<std::int64_t> optional_amount(const LineReader& object, std::string_view key) {
  constexpr std::uint64_t most = 1'000'000'000'000;
  const auto member = object.find(key);
  if (!member || member->is_null()) return std::nullopt;
  return static_cast<std::int64_t>(member->count(most));
}

std::optional<double> optional_number(const LineReader& object, std::string_view key) {
  const auto member = object.find(key);
  return member && !member->is_null() ? std::optional(member->number()) : std::nullopt;
}

std::string text_at(const LineReader& object, std::string_view key) {
  const auto member = object.find(key);
  return member && !member->is_null() ? member->text() : "";
}

bool flag_at(const LineReader& object, std::string_view key) {
  const auto member = object.find(key);
  return member && !member->is_null() && member->flag();
}

Metrics metrics_of(const LineReader& line) {
  return {.score = line.at("score").number(),
          .samples = line.at("samples").count(),
          .failed = optional_whole(line, "failed"),
          .named = {}};
}

GateReport gate_of(const LineReader& gate) {
  return {.accepted = gate.at("accepted").flag(),
          .reason = text_at(gate, "reason"),
          .proposals = gate.at("proposals").count(),
          .batch_before = gate.at("batch_before").number(),
          .batch_after = gate.at("batch_after").number(),
          .validation_before = optional_number(gate, "validation_before"),
          .validation_after = optional_number(gate, "validation_after"),
          .p_value = gate.at(gate.find("p_value") ? "p_value" : "chance").number()};  // as earlier versions had it
}

UpdateRecord update_of(const LineReader& update) {
  UpdateRecord record{.outcome = text_at(update, "outcome"),
                      .requests = optional_whole(update, "requests"),
                      .reason = text_at(update, "reason")};
  if (const auto value = update.find("value"); value && !value->is_null()) record.value = value->text();
  if (const auto distance = update.find("edit_distance"); distance && !distance->is_null()) {
    record.edit_distance = distance->count();
  }
  if (const auto problems = update.find("problems")) {
    for (const LineReader& problem : problems->items()) {
      record.problems.emplace_back(text_at(problem, "problem"), text_at(problem, "reason"));
    }
  }
  if (const auto feedback = update.find("feedback")) record.feedback = feedback->texts();
  return record;
}

RaceReport race_of(const LineReader& line) {
  RaceReport race{.accepted = flag_at(line, "accepted")};
  const std::string best = text_at(line, "best");
  for (const LineReader& proposal : line.at("proposals").items()) {
    race.entries.push_back({.name = text_at(proposal, "name"),
                            .samples = proposal.at("samples").count(),
                            .score = proposal.at("score").number(),
                            .reason = text_at(proposal, "reason")});
    if (!best.empty() && race.entries.back().name == best) race.best = race.entries.size() - 1;
  }
  return race;
}

SearchReport search_of(const LineReader& line) {
  SearchReport search{.step = optional_whole(line, "step")};
  for (const LineReader& proposal : line.at("proposals").items())
    search.proposals.push_back({.aim = text_at(proposal, "aim"),
                                .samples = proposal.at("samples").count(),
                                .gain = proposal.at("gain").number(),
                                .reason = text_at(proposal, "reason")});
  if (const auto race = line.find("race"))
    search.race = ChainRace{.accepted = race->at("accepted").flag(),
                            .steps = race->at("steps").count(),
                            .samples = race->at("samples").count(),
                            .wins = race->at("wins").count(),
                            .losses = race->at("losses").count(),
                            .incumbent = race->at("incumbent").number(),
                            .head = race->at("head").number(),
                            .evidence = race->at("evidence").number()};
  if (const auto confirmation = line.find("confirmation"))
    search.confirmation =
        Confirmation{.confirmed = confirmation->at("confirmed").flag(),
                     .kept = confirmation->at("kept").flag(),
                     .samples = confirmation->at("samples").count(),
                     .first = confirmation->at("first").number(),
                     .last = confirmation->at("last").number(),
                     .p_value = confirmation->at(confirmation->find("p_value") ? "p_value" : "chance").number()};
  return search;
}

BatchRecord batch_of(const LineReader& line) {
  BatchRecord batch;
  for (const LineReader& row : line.at("rows").items()) batch.rows.push_back(row.count());
  batch.measurement = measurement_of(line);
  if (batch.measurement.scores.size() != batch.rows.size()) line.fail("scores without their samples");
  return batch;
}

VersionRecord version_of(const LineReader& line) {
  VersionRecord version{
      .epoch = optional_whole(line, "epoch"), .step = line.at("step").count(), .seconds = optional_number(line, "seconds")};
  for (const auto& [name, update] : line.at("parameters").members()) version.updates.emplace_back(name, update_of(update));
  if (const auto batch = line.find("batch")) version.batch = batch_of(*batch);
  return version;
}

PartRecord part_of(const LineReader& line) {
  PartRecord part{.name = line.at("part").text(), .inputs = line.at("inputs").texts()};
  for (const LineReader& row : line.at("rows").items()) part.rows.push_back(row.count());
  if (const auto targets = line.find("targets")) part.targets = targets->texts();
  if (part.inputs.size() != part.rows.size() || (!part.targets.empty() && part.targets.size() != part.rows.size())) {
    line.fail("rows, inputs and targets differ in number");
  }
  part.file = text_at(line, "file");
  if (const auto lines = line.find("lines")) {
    for (const LineReader& number : lines->items(part.rows.size())) part.lines.push_back(number.count());
  }
  return part;
}

/// "2026-11-27T16:50:19.059Z" as seconds since 1970.
double seconds_of(const LineReader& timestamp) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hours = 0;
  int minutes = 0;
  double seconds = 0;
  const bool is_time =
      std::sscanf(timestamp.text().c_str(), "%4d-%2u-%2uT%2d:%2d:%lf", &year, &month, &day, &hours, &minutes, &seconds) == 6;
  const std::chrono::year_month_day date = std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  const bool is_in_day = hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && seconds >= 0 && seconds < 61;
  if (!is_time || !date.ok() || !is_in_day) timestamp.fail("expected a time such as 2026-11-27T16:50:19.059Z");
  return static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count()) * 86400 + hours * 3600 + minutes * 60 +
         seconds;
}

CallLine call_of(const LineReader& line) {
  const std::string response_model = text_at(line, "gen_ai.response.model");
  const std::string model = text_at(line, "gen_ai.request.model");
  return {.start = seconds_of(line.at("timestamp")),
          .latency = optional_expense(line, "tgd.latency_s").value_or(0),
          .purpose = text_at(line, "tgd.purpose"),
          .parameter = text_at(line, "tgd.parameter"),
          .model = model.empty() ? response_model : model,
          .input_tokens = optional_amount(line, "gen_ai.usage.input_tokens"),
          .output_tokens = optional_amount(line, "gen_ai.usage.output_tokens"),
          .cost = optional_expense(line, "tgd.cost_usd"),
          .outcome = text_at(line, "tgd.outcome"),
          .error_type = text_at(line, "error.type"),
          .error_message = text_at(line, "error.message"),
          .attempts = optional_amount(line, "tgd.attempts").value_or(1),
          .cached = flag_at(line, "tgd.cached")};
}

// ---- Files ------------------------------------------------------------------------------------------------------------

/// Discarded where the text is no JSON. Bytes that are no UTF-8 are replaced, which is looked at only where it has to be.
OrderedJson parsed(const std::string& text) {
  OrderedJson json = detail::parse_or_discard<OrderedJson>(text, detail::JsonComments::allowed);
  return json.is_discarded() ? detail::parse_or_discard<OrderedJson>(detail::valid_utf8(text), detail::JsonComments::allowed)
                             : json;
}

class Reader {
 public:
  explicit Reader(const fs::path& folder) { record_.folder = folder; }

  RunRecord read(RunDetail detail) {
    record_.task = document("task.json");
    record_.result = document("result.json");
    read_metrics();
    const bool is_all = detail == RunDetail::all || record_.result.is_null();
    if (is_all) read_versions();
    if (is_all) read_samples();
    read_calls(is_all || !says_cost(record_.result) ? no_limit : 1);
    std::stable_sort(record_.calls.begin(), record_.calls.end(),
                     [](const CallLine& a, const CallLine& b) { return a.start < b.start; });
    return std::move(record_);
  }

 private:
  void note(const std::string& text) { record_.notes.push_back(text); }

  OrderedJson document(const std::string& name) {
    std::ifstream file(record_.folder / name, std::ios::binary);
    if (!file) return nullptr;
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    OrderedJson json = parsed(text);
    if (json.is_object()) return json;
    note(name + " cannot be read: it is cut off, or something else has written it");
    return nullptr;
  }

  static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

  static bool says_cost(const OrderedJson& result) {
    const OrderedJson::json_pointer place("/cost/total/cost_usd");
    return result.contains(place) && result.at(place).is_number();
  }

  /// The first one says when the run began.
  void read_calls(std::size_t most) {
    read_lines(
        "calls.jsonl", [&](const LineReader& line) { record_.calls.push_back(call_of(line)); }, most);
  }

  template <class Take>
  void read_lines(const std::string& name, Take take, std::size_t most = no_limit) {
    std::size_t unreadable = 0;
    std::string first;
    const auto pass_over = [&](const ParseError& error) {
      if (++unreadable == 1) first = error.what();
    };
    try {
      detail::read_json_lines<OrderedJson>(record_.folder / name, take, pass_over, most);
    } catch (const Error& error) {
      note(name + " cannot be read: " + error.what());
    }
    if (unreadable == 0) return;
    note(fmt::format("{}: {} {} could not be read{}{}", name, unreadable, unreadable == 1 ? "line" : "lines",
                     unreadable == 1 ? ": " : ", first ", first));
  }

  void read_metrics() {
    std::map<std::size_t, StepRecord> steps;
    std::map<std::size_t, ValidationReport> validations;
    std::map<std::size_t, RaceReport> races;
    std::map<std::size_t, SearchReport> searches;
    read_lines("metrics.jsonl", [&](const LineReader& line) {
      const std::string kind = line.at("kind").text();
      const std::size_t epoch = line.at("epoch").count();
      const std::size_t step = line.at("step").count();
      if (kind == "race") races.insert_or_assign(step, race_of(line));
      if (const auto search = line.find("search")) searches.insert_or_assign(step, search_of(*search));
      if (kind == "step") {
        StepRecord record{.epoch = epoch, .step = step, .metrics = metrics_of(line)};
        if (const auto gate = line.find("gate")) record.gate = gate_of(*gate);
        steps.insert_or_assign(step, std::move(record));
      } else if (kind == "validation") {
        validations.insert_or_assign(step, ValidationReport{epoch, step, metrics_of(line), flag_at(line, "is_best")});
      }
    });
    for (auto& [step, record] : steps) record_.steps.push_back(std::move(record));
    for (auto& [step, report] : validations) record_.validations.push_back(std::move(report));
    for (auto& [step, report] : races) record_.races.push_back({step, std::move(report)});
    for (auto& [step, report] : searches) record_.searches.push_back({step, std::move(report)});
  }

  void read_versions() {
    std::map<std::size_t, VersionRecord> versions;
    read_lines("versions.jsonl", [&](const LineReader& line) {
      VersionRecord version = version_of(line);
      const std::size_t step = version.step;
      versions.insert_or_assign(step, std::move(version));
    });
    for (auto& [step, version] : versions) record_.versions.push_back(std::move(version));
  }

  PartRecord* part_named(const std::string& name) {
    const auto found =
        std::find_if(record_.parts.begin(), record_.parts.end(), [&](const PartRecord& part) { return part.name == name; });
    return found == record_.parts.end() ? nullptr : &*found;
  }

  void read_samples() {
    read_lines("samples.jsonl", [&](const LineReader& line) {
      const std::string kind = line.at("kind").text();
      if (kind == "part") {
        PartRecord part = part_of(line);
        PartRecord* known = part_named(part.name);
        if (known == nullptr) {
          record_.parts.push_back(std::move(part));
        } else if (known->rows != part.rows) {
          *known = std::move(part);
        }
      } else if (is_measurement(line)) {
        Measurement measurement = measurement_of(line);
        PartRecord* part = part_named(line.at("part").text());
        if (part == nullptr || measurement.scores.size() != part->rows.size()) line.fail("scores without their samples");
        part->at.insert_or_assign(line.at("step").count(), std::move(measurement));
      }
    });
  }

  RunRecord record_;
};

}  // namespace

RunRecord read_run(const fs::path& folder, RunDetail detail) {
  expect_run_folder(folder);
  return Reader(folder).read(detail);
}

std::optional<std::size_t> best_step(const RunRecord& record) {
  const OrderedJson::json_pointer place("/best/step");
  if (record.result.is_object() && record.result.contains(place) && record.result.at(place).is_number_unsigned())
    return record.result.at(place).get<std::size_t>();
  for (auto report = record.validations.rbegin(); report != record.validations.rend(); ++report) {
    if (report->is_best) return report->step;
  }
  return std::nullopt;
}

const Measurement& best_measurement(const RunRecord& record, const PartRecord& part) {
  const std::optional<std::size_t> best = best_step(record);
  const auto found = best ? part.at.find(*best) : part.at.end();
  return found == part.at.end() ? part.at.rbegin()->second : found->second;
}

std::vector<fs::path> run_folders_in(const fs::path& folder) {
  std::vector<fs::path> runs;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && is_run_folder(entry->path())) runs.push_back(entry->path());
  }
  std::sort(runs.begin(), runs.end());
  return runs;
}

}  // namespace tgd::cli
