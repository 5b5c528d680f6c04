#include "report/comparison.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "report/calls.hpp"
#include "report/data.hpp"
#include "report/members.hpp"
#include "report/run_list.hpp"
#include "run/paired.hpp"
#include "run/word_diff.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

/// One run, and what its report says of it.
struct Run {
  const RunRecord& record;
  OrderedJson report;

  const PartRecord* part(const std::string& name) const {
    for (const PartRecord& known : record.parts) {
      if (known.name == name && !known.at.empty()) return &known;
    }
    return nullptr;
  }
  bool higher_is_better() const { return report["higher"].get<bool>(); }
};

OrderedJson interval_json(const std::optional<Interval>& interval) {
  return interval ? OrderedJson::array({interval->low, interval->high}) : OrderedJson(nullptr);
}

// ---- A run by itself ----

OrderedJson parts_json(const Run& run) {
  OrderedJson list = OrderedJson::array();
  for (const OrderedJson& part : run.report["parts"]) {
    const PartRecord* measured = run.part(part["name"].get<std::string>());
    const auto interval =
        measured ? interval_of_mean(known_scores(best_measurement(run.record, *measured).scores)) : std::nullopt;
    list.push_back({{"part", part["name"]},
                    {"samples", part["samples"]},
                    {"first", part["before"]},
                    {"best", part["after"]},
                    {"interval", interval_json(part["after"].is_null() ? std::nullopt : interval)}});
  }
  return list;
}

OrderedJson run_json(const Run& run) {
  const OrderedJson& report = run.report;
  const OrderedJson& usage = report["usage"];
  const auto used = [&](const char* name) { return usage.is_object() ? usage[name] : OrderedJson(nullptr); };
  return {{"folder", run.record.folder.string()},
          {"name", report["name"]},
          {"status", run_status(run.record.folder, report)},
          {"ending", report["error"].is_null() ? report["ending"] : report["error"]},
          {"started", report["started"]},
          {"models", models_text(report)},
          {"simulated", report["simulated"]},
          {"higher_is_better", report["higher"]},
          {"best_score", report["best_score"]},
          {"steps", report["steps_done"]},
          {"best_step", report["best"]},
          {"seconds", report["seconds"]},
          {"calls", used("calls")},
          {"failed_calls", used("failed")},
          {"input_tokens", used("input")},
          {"output_tokens", used("output")},
          {"cost_usd", used("cost")},
          {"parts", parts_json(run)}};
}

// ---- Samples ----

/// A sample is the same in two runs if its texts are; where several have the same, one after the other.
using SampleKey = std::pair<std::string, std::string>;

SampleKey key_of(const PartRecord& part, std::size_t i) {
  return {part.inputs[i], part.targets.empty() ? "" : part.targets[i]};
}

/// Positions in both.
std::vector<std::pair<std::size_t, std::size_t>> shared_samples(const PartRecord& first, const PartRecord& other) {
  std::map<SampleKey, std::vector<std::size_t>> places;
  for (std::size_t i = other.rows.size(); i-- > 0;) places[key_of(other, i)].push_back(i);
  std::vector<std::pair<std::size_t, std::size_t>> shared;
  for (std::size_t i = 0; i < first.rows.size(); ++i) {
    const auto found = places.find(key_of(first, i));
    if (found == places.end() || found->second.empty()) continue;
    shared.emplace_back(i, found->second.back());
    found->second.pop_back();
  }
  return shared;
}

OrderedJson text_or_null(const std::optional<std::string>& text) { return text ? OrderedJson(*text) : OrderedJson(nullptr); }

class Comparison {
 public:
  Comparison(const Run& first, const Run& other) : first_(first), other_(other) {}

  OrderedJson json(std::vector<std::string>& notes) {
    OrderedJson parts = OrderedJson::array();
    if (measure_alike()) {
      for (const OrderedJson& part : first_.report["parts"]) compare_part(part["name"].get<std::string>(), parts);
    } else {
      notes.push_back(fmt::format("{} and {} score answers in different ways: their scores say nothing about each other",
                                  name(first_), name(other_)));
    }
    if (parts.empty() && measure_alike())
      notes.push_back(fmt::format("{} and {} have measured no sample that is the same: there is nothing to test", name(first_),
                                  name(other_)));
    return {{"run", other_.record.folder.string()},
            {"parts", parts},
            {"won", won_},
            {"lost", lost_},
            {"settings", settings()},
            {"prompts", prompts()}};
  }

 private:
  static std::string name(const Run& run) { return run.record.folder.string(); }

  bool measure_alike() const { return member(first_.record.task, "/evaluator") == member(other_.record.task, "/evaluator"); }

  void compare_part(const std::string& name, OrderedJson& parts) {
    const PartRecord* first = first_.part(name);
    const PartRecord* other = other_.part(name);
    if (first == nullptr || other == nullptr) return;
    const Measurement& before = best_measurement(first_.record, *first);
    const Measurement& after = best_measurement(other_.record, *other);
    SampleScores first_scores;
    SampleScores other_scores;
    for (const auto& [i, j] : shared_samples(*first, *other)) {
      first_scores.push_back(before.scores[i]);
      other_scores.push_back(after.scores[j]);
      if (!before.scores[i] || !after.scores[j] || *before.scores[i] == *after.scores[j]) continue;
      const bool is_won = (*after.scores[j] > *before.scores[i]) == first_.higher_is_better();
      (is_won ? won_ : lost_)
          .push_back({{"part", name},
                      {"row", first->rows[i]},
                      {"input", first->inputs[i]},
                      {"target", first->targets.empty() ? OrderedJson(nullptr) : OrderedJson(first->targets[i])},
                      {"first", {{"prediction", text_or_null(before.predictions[i])}, {"score", *before.scores[i]}}},
                      {"other", {{"prediction", text_or_null(after.predictions[j])}, {"score", *after.scores[j]}}}});
    }
    const PairedScores pairs = pair_up(first_scores, other_scores, first_.higher_is_better());
    if (pairs.empty()) return;
    parts.push_back({{"part", name},
                     {"shared", pairs.before.size()},
                     {"first", mean(pairs.before)},
                     {"other", mean(pairs.after)},
                     {"difference", pairs.difference()},
                     {"interval", interval_json(pairs.interval())},
                     {"p_value", pairs.chance()},
                     {"won", pairs.better},
                     {"lost", pairs.worse}});
  }

  // ---- Settings ----

  /// Members by their JSON pointers. Prompts are compared as texts, and files by where they lead to.
  static std::map<std::string, OrderedJson> settings_of(const RunRecord& record) {
    std::map<std::string, OrderedJson> settings;
    if (!record.task.is_object()) return settings;
    const OrderedJson members = record.task.flatten();
    for (const auto& [place, value] : members.items()) {
      if (place.starts_with("/parameters/") && place.ends_with("/value")) continue;
      settings[place] = value;
      static const std::set<std::string> files{"/data/file",        "/data/train", "/data/validation", "/data/test",
                                               "/evaluator/folder", "/cache",      "/prompts"};
      if (value.is_string() && files.count(place) > 0)
        settings[place] = fs::absolute(record.folder / value.get<std::string>()).lexically_normal().string();
    }
    return settings;
  }

  OrderedJson settings() const {
    const auto first = settings_of(first_.record);
    const auto other = settings_of(other_.record);
    std::set<std::string> places;
    for (const auto& setting : first) places.insert(setting.first);
    for (const auto& setting : other) places.insert(setting.first);
    const auto at = [](const auto& settings, const std::string& place) {
      const auto found = settings.find(place);
      return found == settings.end() ? OrderedJson(nullptr) : found->second;
    };
    OrderedJson list = OrderedJson::array();
    const auto add = [&list](const std::string& setting, const OrderedJson& one, const OrderedJson& two) {
      if (one != two) list.push_back({{"setting", setting}, {"first", one}, {"other", two}});
    };
    for (const std::string& place : places) add(place, at(first, place), at(other, place));
    add("tgd", member(first_.record.result, "/version"), member(other_.record.result, "/version"));
    return list;
  }

  // ---- Prompts ----

  static std::map<std::string, std::string> best_values(const Run& run) {
    std::map<std::string, std::string> values;
    const OrderedJson& report = run.report;
    const std::size_t best = best_step(run.record).value_or(0);
    for (const OrderedJson& version : report["versions"]) {
      if (version["step"].get<std::size_t>() > best) break;
      for (std::size_t i = 0; i < report["parameters"].size(); ++i) {
        const auto number = version["of"][i]["value"].get<std::int64_t>();
        if (number >= 0)
          values[report["parameters"][i]["name"].get<std::string>()] =
              report["strings"][static_cast<std::size_t>(number)].get<std::string>();
      }
    }
    return values;
  }

  OrderedJson prompts() const {
    const auto first = best_values(first_);
    const auto other = best_values(other_);
    OrderedJson list = OrderedJson::array();
    for (const auto& [parameter, value] : first) {
      const auto found = other.find(parameter);
      if (found != other.end()) list.push_back(prompt_json(parameter, value, found->second));
    }
    return list;
  }

  static OrderedJson prompt_json(const std::string& parameter, const std::string& before, const std::string& after) {
    const std::vector<WordChange> changes = word_diff(before, after);
    OrderedJson list = OrderedJson::array();
    for (const WordChange& change : changes) {
      const char* kind = change.kind == WordChange::Kind::same   ? "same"
                         : change.kind == WordChange::Kind::gone ? "gone"
                                                                 : "new";
      list.push_back(OrderedJson::array({kind, change.text}));
    }
    return {{"parameter", parameter},
            {"added", count_words(changes, WordChange::Kind::added)},
            {"gone", count_words(changes, WordChange::Kind::gone)},
            {"changes", std::move(list)}};
  }

  const Run& first_;
  const Run& other_;
  OrderedJson won_ = OrderedJson::array();
  OrderedJson lost_ = OrderedJson::array();
};

}  // namespace

OrderedJson compare_runs(const std::vector<RunRecord>& records) {
  std::vector<Run> runs;
  std::vector<std::string> notes;
  for (const RunRecord& record : records) {
    runs.push_back({record, report_data(record)});
    for (const std::string& note : record.notes) notes.push_back(record.folder.string() + ": " + note);
  }
  OrderedJson document{{"runs", OrderedJson::array()}, {"comparisons", OrderedJson::array()}};
  for (const Run& run : runs) document["runs"].push_back(run_json(run));
  for (std::size_t i = 1; i < runs.size(); ++i) document["comparisons"].push_back(Comparison(runs[0], runs[i]).json(notes));
  document["notes"] = notes;
  // How the page writes scores.
  document["best_score"] = runs[0].report["best_score"];
  document["higher"] = runs[0].report["higher"];
  return document;
}

}  // namespace tgd::cli
