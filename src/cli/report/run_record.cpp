#include "cli/report/run_record.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "core/utf8.hpp"

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
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_directory(ignored) || !is_run_folder(entry->path())) continue;
    const fs::file_time_type written = entry->last_write_time(ignored);
    if (newest && written <= time) continue;
    newest = entry->path();
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
// Whatever is not what it should be throws OrderedJson::exception, and the line is passed over.

std::size_t whole(const OrderedJson& value) {
  if (!value.is_number_unsigned()) throw OrderedJson::type_error::create(302, "no whole number", &value);
  return value.get<std::size_t>();
}

template <class T>
std::optional<T> optional_at(const OrderedJson& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end() || member->is_null()) return std::nullopt;
  return member->get<T>();
}

std::string text_at(const OrderedJson& object, const char* key) { return optional_at<std::string>(object, key).value_or(""); }

template <class T>
std::vector<std::optional<T>> optionals(const OrderedJson& values) {
  std::vector<std::optional<T>> result;
  result.reserve(values.size());
  for (const OrderedJson& value : values) result.push_back(value.is_null() ? std::nullopt : std::optional<T>(value.get<T>()));
  return result;
}

Metrics metrics_of(const OrderedJson& line) {
  return {.score = line.at("score"),
          .samples = whole(line.at("samples")),
          .failed = line.contains("failed") ? whole(line["failed"]) : 0,
          .named = {}};
}

GateReport gate_of(const OrderedJson& gate) {
  return {.accepted = gate.at("accepted"),
          .reason = text_at(gate, "reason"),
          .proposals = whole(gate.at("proposals")),
          .batch_before = gate.at("batch_before"),
          .batch_after = gate.at("batch_after"),
          .validation_before = optional_at<double>(gate, "validation_before"),
          .validation_after = optional_at<double>(gate, "validation_after"),
          .chance = gate.at("chance")};
}

UpdateRecord update_of(const OrderedJson& update) {
  UpdateRecord record{.outcome = text_at(update, "outcome"),
                      .value = optional_at<std::string>(update, "value"),
                      .requests = update.contains("requests") ? whole(update["requests"]) : 0,
                      .edit_distance = optional_at<std::size_t>(update, "edit_distance"),
                      .reason = text_at(update, "reason")};
  if (update.contains("problems")) {
    for (const OrderedJson& problem : update["problems"]) {
      record.problems.emplace_back(text_at(problem, "problem"), text_at(problem, "reason"));
    }
  }
  if (update.contains("feedback")) record.feedback = update["feedback"].get<std::vector<std::string>>();
  return record;
}

VersionRecord version_of(const OrderedJson& line) {
  VersionRecord version{.epoch = line.contains("epoch") ? whole(line["epoch"]) : 0,
                        .step = whole(line.at("step")),
                        .seconds = optional_at<double>(line, "seconds")};
  for (const auto& [name, update] : line.at("parameters").items()) version.updates.emplace_back(name, update_of(update));
  return version;
}

PartRecord part_of(const OrderedJson& line) {
  PartRecord part{.name = line.at("part"), .inputs = line.at("inputs").get<std::vector<std::string>>()};
  for (const OrderedJson& row : line.at("rows")) part.rows.push_back(whole(row));
  if (line.contains("targets")) part.targets = line["targets"].get<std::vector<std::string>>();
  if (part.inputs.size() != part.rows.size() || (!part.targets.empty() && part.targets.size() != part.rows.size())) {
    throw OrderedJson::other_error::create(501, "rows, inputs and targets differ in number", &line);
  }
  return part;
}

/// "2026-11-27T16:50:19.059Z" as seconds since 1970.
double seconds_of(const std::string& timestamp) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hours = 0;
  int minutes = 0;
  double seconds = 0;
  if (std::sscanf(timestamp.c_str(), "%4d-%2u-%2uT%2d:%2d:%lf", &year, &month, &day, &hours, &minutes, &seconds) != 6) return 0;
  const std::chrono::sys_days date = std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return static_cast<double>(date.time_since_epoch().count()) * 86400 + hours * 3600 + minutes * 60 + seconds;
}

CallLine call_of(const OrderedJson& line) {
  const std::string response_model = text_at(line, "gen_ai.response.model");
  const std::string model = text_at(line, "gen_ai.request.model");
  return {.start = seconds_of(line.at("timestamp").get<std::string>()),
          .latency = optional_at<double>(line, "tgd.latency_s").value_or(0),
          .purpose = text_at(line, "tgd.purpose"),
          .parameter = text_at(line, "tgd.parameter"),
          .model = model.empty() ? response_model : model,
          .input_tokens = optional_at<std::int64_t>(line, "gen_ai.usage.input_tokens"),
          .output_tokens = optional_at<std::int64_t>(line, "gen_ai.usage.output_tokens"),
          .cost = optional_at<double>(line, "tgd.cost_usd"),
          .outcome = text_at(line, "tgd.outcome"),
          .error_type = text_at(line, "error.type"),
          .error_message = text_at(line, "error.message"),
          .attempts = optional_at<std::int64_t>(line, "tgd.attempts").value_or(1),
          .cached = optional_at<bool>(line, "tgd.cached").value_or(false)};
}

// ---- Files ------------------------------------------------------------------------------------------------------------

/// Discarded where the text is no JSON. Bytes that are no UTF-8 are replaced, which is looked at only where it has to be.
OrderedJson parsed(const std::string& text) {
  OrderedJson json = OrderedJson::parse(text, nullptr, false, true);
  return json.is_discarded() ? OrderedJson::parse(detail::valid_utf8(text), nullptr, false, true) : json;
}

class Reader {
 public:
  explicit Reader(const fs::path& folder) { record_.folder = folder; }

  RunRecord read() {
    record_.task = document("task.json");
    record_.result = document("result.json");
    read_metrics();
    read_versions();
    read_samples();
    read_lines("calls.jsonl", [&](const OrderedJson& line) { record_.calls.push_back(call_of(line)); });
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

  /// Line for line, because ledgers are long.
  template <class Take>
  void read_lines(const std::string& name, Take take) {
    std::ifstream file(record_.folder / name, std::ios::binary);
    std::size_t unreadable = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.empty()) continue;
      try {
        take(parsed(line));
      } catch (const OrderedJson::exception&) {
        ++unreadable;
      }
    }
    if (unreadable > 0) note(fmt::format("{}: {} {} could not be read", name, unreadable, unreadable == 1 ? "line" : "lines"));
  }

  void read_metrics() {
    std::map<std::size_t, StepRecord> steps;
    std::map<std::size_t, ValidationReport> validations;
    read_lines("metrics.jsonl", [&](const OrderedJson& line) {
      const std::string kind = line.at("kind");
      const std::size_t epoch = whole(line.at("epoch"));
      const std::size_t step = whole(line.at("step"));
      if (kind == "step") {
        StepRecord record{.epoch = epoch, .step = step, .metrics = metrics_of(line)};
        if (line.contains("gate")) record.gate = gate_of(line["gate"]);
        steps.insert_or_assign(step, std::move(record));
      } else if (kind == "validation") {
        const bool is_best = line.contains("is_best") && line["is_best"].get<bool>();
        validations.insert_or_assign(step, ValidationReport{epoch, step, metrics_of(line), is_best});
      }
    });
    for (auto& [step, record] : steps) record_.steps.push_back(std::move(record));
    for (auto& [step, report] : validations) record_.validations.push_back(std::move(report));
  }

  void read_versions() {
    std::map<std::size_t, VersionRecord> versions;
    read_lines("versions.jsonl", [&](const OrderedJson& line) {
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
    read_lines("samples.jsonl", [&](const OrderedJson& line) {
      const std::string kind = line.at("kind");
      if (kind == "part") {
        PartRecord part = part_of(line);
        PartRecord* known = part_named(part.name);
        if (known == nullptr) {
          record_.parts.push_back(std::move(part));
        } else if (known->rows != part.rows) {
          *known = std::move(part);
        }
      } else if (kind == "scores") {
        Measurement measurement{optionals<std::string>(line.at("predictions")), optionals<double>(line.at("scores"))};
        PartRecord* part = part_named(line.at("part"));
        if (part == nullptr || measurement.predictions.size() != part->rows.size() ||
            measurement.scores.size() != part->rows.size()) {
          throw OrderedJson::other_error::create(501, "scores without their samples", &line);
        }
        part->at.insert_or_assign(whole(line.at("step")), std::move(measurement));
      }
    });
  }

  RunRecord record_;
};

}  // namespace

RunRecord read_run(const fs::path& folder) {
  expect_run_folder(folder);
  return Reader(folder).read();
}

}  // namespace tgd::cli
