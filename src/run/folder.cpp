#include "run/folder.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <set>
#include <string_view>
#include <system_error>
#include <unordered_map>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "core/file.hpp"
#include "core/json_position.hpp"
#include "core/json_text.hpp"
#include "core/number_of_text.hpp"
#include "core/problem.hpp"
#include "core/text.hpp"
#include "train/journal.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* versions_name = "versions.jsonl";
constexpr const char* samples_name = "samples.jsonl";
constexpr const char* tried_kind = "tried";
constexpr std::size_t most_shown = 300;  // characters of an input or a prediction
constexpr std::size_t most_of_reply = 1000;

std::string dumped(const OrderedJson& json, int indent) { return detail::json_text(json, indent) + "\n"; }

/// What a process leaves that was killed before its run began: its lock, a journal that says no more, and half a file.
bool is_left_by_none(const fs::path& folder, const fs::path& name) {
  if (name == "run.lock" || name.extension() == ".tmp") return true;
  try {
    return name == "journal.jsonl" && !tgd::detail::Journal::has_begun(folder);
  } catch (const Error&) {
    return false;
  }
}

void expect_unused_folder(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return;
  if (!fs::is_directory(path, error)) throw TaskError("--run-dir: " + path.string() + " is no folder; name a new one");
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (is_left_by_none(path, entry.path().filename())) continue;
    throw TaskError(
        "--run-dir: " + path.string() +
        " is not empty, and a run never overwrites another one's files; name a new folder, empty this one, or go on with "
        "the run in it: tgd optimize --resume " +
        path.string());
  }
}

/// Two runs in the same second get different folders.
fs::path make_new_folder(const std::string& name) {
  const std::string stem = fmt::format("{}-{:%Y%m%d-%H%M%S}", name, fmt::localtime(std::time(nullptr)));
  fs::path path = fs::path("runs") / stem;
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  for (int number = 2; ::mkdir(path.c_str(), 0700) != 0 && errno == EEXIST; ++number)
    path = fs::path("runs") / fmt::format("{}-{}", stem, number);
  return path;
}

/// The inputs of a sample in one text.
std::string inputs_text(const data::Record& sample) {
  std::string text;
  for (const auto& [name, value] : sample) {
    if (name == target_name || name == row_name) continue;
    text += (text.empty() ? "" : "\n") + value.item_text();
  }
  return text;
}

Problem problem_of(const LineReader& problem) {
  const LineReader name = problem.at("kind");
  const auto kind = detail::problem_kind(name.text());
  if (!kind) name.fail("no kind of problem has this name");
  return {.kind = *kind, .text = problem.at("text").text(), .is_failure = !problem.find("is_failure")};
}

/// The members of an object that has something for some rows.
template <class Take>
void for_rows(const LineReader& line, const char* key, Take take) {
  const auto object = line.find(key);
  if (!object) return;
  for (const auto& [row, member] : object->members()) {
    const auto number = tgd::detail::number_of_text<std::size_t>(row);
    if (!number) member.fail("\"" + row + "\" is no row of the data");
    take(*number, member);
  }
}

}  // namespace

bool is_measurement(const LineReader& line) {
  const auto kind = line.find("kind");
  return kind && kind->text() == "scores";
}

Measurement measurement_of(const LineReader& line) {
  Measurement measurement;
  for (const LineReader& item : line.at("predictions").items())
    measurement.predictions.push_back(item.is_null() ? std::nullopt : std::optional(item.text()));
  for (const LineReader& item : line.at("scores").items(measurement.predictions.size()))
    measurement.scores.push_back(item.is_null() ? std::nullopt : std::optional(item.number()));
  if (const auto metrics = line.find("metrics"); metrics && !metrics->is_null()) {
    for (const auto& [name, values] : metrics->members()) {
      for (const LineReader& value : values.items(measurement.scores.size()))
        measurement.metrics[name].push_back(value.is_null() ? std::nullopt : std::optional(value.number()));
    }
  }
  for_rows(line, "problems",
           [&](std::size_t row, const LineReader& problem) { measurement.problems.emplace(row, problem_of(problem)); });
  for_rows(line, "replies", [&](std::size_t row, const LineReader& text) { measurement.replies.emplace(row, text.text()); });
  for_rows(line, "explanations",
           [&](std::size_t row, const LineReader& text) { measurement.explanations.emplace(row, text.text()); });
  return measurement;
}

std::string kept_text(const std::string& text) { return detail::excerpt(text, most_shown); }

std::optional<std::int64_t> optional_count(const LineReader& line, std::string_view key) {
  const auto member = line.find(key);
  if (!member || member->is_null()) return std::nullopt;
  return static_cast<std::int64_t>(member->count(std::numeric_limits<std::int64_t>::max()));
}

std::optional<double> optional_expense(const LineReader& line, std::string_view key) {
  constexpr double most = 1e12;
  const auto member = line.find(key);
  if (!member || member->is_null()) return std::nullopt;
  const double expense = member->number();
  if (!(expense >= 0 && expense <= most))
    member->fail(fmt::format("expected a number from 0 to {}, but this is {}", most, expense));
  return expense;
}

RunFolder::RunFolder(const std::string& name, const std::optional<fs::path>& wanted)
    : RunFolder(wanted ? *wanted : make_new_folder(name)) {
  expect_unused();
  try {
    detail::make_run_folder(path_);
  } catch (const ValueError& error) {
    throw TaskError(std::string(error.what()) + "; name another one with --run-dir");
  }
}

void RunFolder::expect_unused() const { expect_unused_folder(path_); }

RunFolder RunFolder::open(const fs::path& path, const std::string& asked_by) {
  RunFolder folder(path);
  std::error_code error;
  if (!fs::is_directory(path, error)) throw TaskError(asked_by + ": there is no folder " + path.string());
  if (!fs::exists(folder.task_file(), error))
    throw TaskError(asked_by + ": " + path.string() +
                    " holds no run (it has no task.json); name the folder that `tgd optimize` made");
  return folder;
}

void RunFolder::write_task(const OrderedJson& task) const { write_json("task.json", task); }

void RunFolder::write_parameters(const NamedValues& values, const Json& state) const {
  for (const auto& [name, value] : values) journal_->write_view(parameter_file(name).filename().string(), value + "\n");
  journal_->write_view("parameters.json", detail::json_text(state.value(), 2) + "\n");
}

bool RunFolder::has_parameters() const { return fs::exists(path_ / "parameters.json"); }

void RunFolder::write_result(const OrderedJson& result) const { write_json("result.json", result); }

void RunFolder::add_version(const OrderedJson& line) const { add_line(versions_name, line); }

bool RunFolder::has_versions() const { return !journal_->notes(versions_name).empty(); }
bool RunFolder::has_parts() const { return !journal_->notes(samples_name).empty(); }

void RunFolder::describe_part(const std::string& part, const DataPart& samples) const {
  OrderedJson line{{"kind", "part"}, {"part", part}, {"rows", samples.rows()}};
  if (samples.size() > 0 && samples.origin(0).line > 0) {
    if (samples.origin(0).file) line["file"] = fs::path(*samples.origin(0).file).filename().string();
    for (std::size_t i = 0; i < samples.size(); ++i) line["lines"].push_back(samples.origin(i).line);
  }
  std::vector<std::string> targets;
  std::vector<std::string> inputs;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const data::Record sample = samples[i];
    if (const auto target = sample.find(target_name); target != sample.end())
      targets.push_back(kept_text(target->second.item_text()));
    inputs.push_back(kept_text(inputs_text(sample)));
  }
  if (!targets.empty()) line["targets"] = std::move(targets);
  line["inputs"] = std::move(inputs);
  add_line(samples_name, line);
}

OrderedJson scores_json(const std::vector<std::size_t>& rows, const SampleResults& results) {
  std::unordered_map<std::size_t, std::size_t> positions;
  for (std::size_t i = 0; i < results.rows.size(); ++i) positions[results.rows[i]] = i;
  OrderedJson predictions = OrderedJson::array();
  OrderedJson scores = OrderedJson::array();
  for (const std::size_t row : rows) {
    const auto found = positions.find(row);
    predictions.push_back(found == positions.end() ? OrderedJson(nullptr)
                                                   : OrderedJson(kept_text(results.predictions[found->second])));
    scores.push_back(found == positions.end() ? OrderedJson(nullptr) : OrderedJson(results.scores[found->second]));
  }
  OrderedJson line{{"predictions", std::move(predictions)}, {"scores", std::move(scores)}};
  for (const auto& [name, values] : results.metrics) {
    OrderedJson of_rows = OrderedJson::array();
    for (const std::size_t row : rows) {
      const auto found = positions.find(row);
      const auto value = found == positions.end() ? std::nullopt : values[found->second];
      of_rows.push_back(value ? OrderedJson(*value) : OrderedJson(nullptr));
    }
    line["metrics"][name] = std::move(of_rows);
  }
  for (const auto& [row, problem] : results.problems) line["problems"][std::to_string(row)] = problem_json(problem);
  // A reply often ends with what was asked for.
  for (const auto& [row, reply] : results.replies)
    line["replies"][std::to_string(row)] = tgd::detail::cut_middle(reply, most_of_reply);
  for (const auto& [row, text] : results.explanations) line["explanations"][std::to_string(row)] = kept_text(text);
  return line;
}

namespace {

/// Adds what a line holds of the samples.
void take_results(Measurement found, const DataPart& samples, SampleResults& results) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!found.predictions[i] || !found.scores[i]) continue;
    results.rows.push_back(samples.rows()[i]);
    results.predictions.push_back(*std::move(found.predictions[i]));
    results.scores.push_back(*found.scores[i]);
    for (const auto& [name, values] : found.metrics)
      if (values[i]) add_metrics(results.metrics, results.rows.size() - 1, {{name, *values[i]}});
  }
  for (auto& [name, values] : results.metrics) values.resize(results.rows.size());
  results.problems.merge(found.problems);
  results.replies.merge(found.replies);
  results.explanations.merge(found.explanations);
}

}  // namespace

void RunFolder::add_scores(const std::string& part, std::size_t step, const DataPart& samples,
                           const SampleResults& results) const {
  OrderedJson line{{"kind", "scores"}, {"part", part}, {"step", step}};
  line.update(scores_json(samples.rows(), results));
  add_line(samples_name, line);
}

void RunFolder::add_tried(const std::string& version, const DataPart& samples, const SampleResults& results) const {
  OrderedJson line{{"kind", tried_kind}, {"version", version}};
  line.update(scores_json(samples.rows(), results));
  add_line(samples_name, line);
}

std::map<std::string, SampleResults> RunFolder::tried(const DataPart& samples) const {
  std::map<std::string, SampleResults> results;
  read_lines(samples_name, [&](const LineReader& line) {
    if (line.at("kind").text() == tried_kind) take_results(measurement_of(line), samples, results[line.at("version").text()]);
  });
  return results;
}

RunProblems RunFolder::problems() const {
  std::map<std::pair<std::string, std::size_t>, Problem> latest;
  read_lines(samples_name, [&](const LineReader& line) {
    if (!is_measurement(line)) return;
    const std::string part = line.at("part").text();
    for (auto& [row, problem] : measurement_of(line).problems) latest.insert_or_assign({part, row}, std::move(problem));
  });
  RunProblems found;
  for (const auto& [sample, problem] : latest) {
    if (!found.counts.any()) found.first = {sample.first, std::to_string(sample.second), to_string(problem)};
    found.counts.add(problem);
  }
  return found;
}

NewValues RunFolder::new_values() const {
  using Outcome = optim::ParameterUpdate::Outcome;
  NewValues found;
  read_lines(versions_name, [&](const LineReader& line) {
    if (line.at("kind").text() != "step") return;
    ++found.steps;
    std::set<std::string, std::less<>> outcomes;
    for (const auto& [name, update] : line.at("parameters").members()) {
      outcomes.insert(update.at("outcome").text());
      if (update.at("outcome").text() == optim::to_string(Outcome::kept) && update.find("reason"))
        found.reason = update.at("reason").text();
    }
    const auto has = [&](Outcome outcome) { return outcomes.count(optim::to_string(outcome)) > 0; };
    if (has(Outcome::updated) || has(Outcome::rejected)) {
      ++found.usable;
    } else if (has(Outcome::kept) || has(Outcome::unchanged)) {
      ++found.unusable;
    } else {
      ++found.no_feedback;
    }
  });
  return found;
}

std::optional<Measurement> RunFolder::measurement(const std::string& part, std::size_t step) const {
  std::optional<Measurement> last;
  read_lines(samples_name, [&](const LineReader& line) {
    if (is_measurement(line) && line.at("part").text() == part && line.at("step").count() == step) last = measurement_of(line);
  });
  return last;
}

std::optional<SampleResults> RunFolder::results(const std::string& part, std::size_t step, const DataPart& samples) const {
  std::optional<Measurement> known = measurement(part, step);
  if (!known) return std::nullopt;
  if (known->scores.size() != samples.size())
    throw ParseError(fmt::format("{} has scores of {} samples of the {} part, which has {}", (path_ / samples_name).string(),
                                 known->scores.size(), part, samples.size()));
  SampleResults results;
  take_results(*std::move(known), samples, results);
  return results;
}

std::optional<std::vector<double>> RunFolder::scores(const std::string& part, std::size_t step) const {
  const std::optional<Measurement> known = measurement(part, step);
  if (!known) return std::nullopt;
  std::vector<double> scores;
  for (const std::optional<double>& score : known->scores) {
    if (!score) return std::nullopt;
    scores.push_back(*score);
  }
  return scores;
}

ValidationSteps RunFolder::validation_steps() const {
  ValidationSteps steps;
  read_lines("metrics.jsonl", [&](const LineReader& line) {
    const std::size_t step = line.at("step").count();
    steps.last = std::max(steps.last, step);
    if (line.at("kind").text() != "validation" || !line.at("is_best").flag()) return;
    steps.best = ValidationReport{line.at("epoch").count(), step, {}, true};
    steps.best->metrics.score = line.at("score").number();
    steps.best->metrics.samples = line.at("samples").count();
  });
  return steps;
}

void RunFolder::read_lines(const char* name, const std::function<void(const LineReader&)>& take) const {
  const detail::JsonOrigin origin{(path_ / name).string(), 1, {}};
  for (const std::string& line : journal_->notes(name)) {
    const OrderedJson json = detail::parse_json<OrderedJson>(line, origin.file, 1);
    take(LineReader(json, origin));
  }
}

void RunFolder::write_json(const std::string& name, const OrderedJson& json) const {
  journal_->write_view(name, dumped(json, 2));
}

void RunFolder::add_line(const char* name, const OrderedJson& line) const { journal_->note(name, detail::json_text(line, -1)); }

}  // namespace tgd::cli
