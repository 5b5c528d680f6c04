#include "report/data.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include <tgd/version.hpp>

#include "core/text.hpp"
#include "report/calls.hpp"
#include "report/members.hpp"
#include "run/paired.hpp"
#include "run/summary.hpp"
#include "task/agent.hpp"

namespace tgd::cli {

namespace {

/// So many digits that what the page rounds once more comes to the same as in a terminal.
OrderedJson score(double value) { return std::round(value * 1e8) / 1e8; }
OrderedJson score(const std::optional<double>& value) { return value ? score(*value) : OrderedJson(nullptr); }

/// Each text once.
class Strings {
 public:
  std::int64_t add(const std::string& text) {
    const auto [entry, is_new] = numbers_.try_emplace(text, texts_.size());
    if (is_new) texts_.push_back(text);
    return entry->second;
  }
  std::int64_t add(const std::optional<std::string>& text) { return text ? add(*text) : -1; }
  std::int64_t add_if_any(const std::string& text) { return text.empty() ? -1 : add(text); }
  OrderedJson json() && { return std::move(texts_); }

 private:
  std::unordered_map<std::string, std::int64_t> numbers_;
  OrderedJson::array_t texts_;
};

/// Inputs of ten thousand samples need not be long to be told apart. Nothing: all can be shown as they are.
std::optional<std::size_t> excerpt_limit(const RunRecord& record) {
  constexpr std::array<std::size_t, 4> limits = {300, 160, 80, 40};
  constexpr std::size_t most_bytes = 12'000'000;
  const auto fits = [&](std::size_t limit) {
    std::size_t bytes = 0;
    const auto add = [&](const std::string& text) { bytes += std::min(text.size(), limit) + 4; };
    const auto add_all = [&](const Measurement& measurement) {
      for (const auto& prediction : measurement.predictions) add(prediction.value_or(""));
      for (const auto& reply : measurement.replies) add(reply.second);
      for (const auto& explanation : measurement.explanations) add(explanation.second);
    };
    for (const PartRecord& part : record.parts) {
      for (const std::string& input : part.inputs) add(input);
      for (const auto& one : part.at) add_all(one.second);
    }
    for (const VersionRecord& version : record.versions) {
      if (version.batch) add_all(version.batch->measurement);
    }
    return bytes <= most_bytes;
  };
  if (fits(std::numeric_limits<std::size_t>::max())) return std::nullopt;
  const auto found = std::find_if(limits.begin(), limits.end(), fits);
  return found == limits.end() ? limits.back() : *found;
}

// ---- The document -----------------------------------------------------------------------------------------------------

class Builder {
 public:
  explicit Builder(const RunRecord& record) : record_(record), notes_(record.notes), excerpt_limit_(excerpt_limit(record)) {
    if (excerpt_limit_)
      notes_.push_back(fmt::format("inputs and replies are cut at {} characters, because there are many", *excerpt_limit_));
    const OrderedJson higher = member(record.task, "/evaluator/higher_is_better");
    higher_ = !higher.is_boolean() || higher.get<bool>();
    find_parameters();
  }

  OrderedJson build() {
    OrderedJson document = head();
    document["parts"] = parts();
    document["metrics"] = metrics();
    document["figures"] = figures();
    document["usage"] = usage();
    document["steps"] = steps();
    document["gates"] = gates();
    document["validations"] = validations();
    document["races"] = races();
    document["searches"] = searches();
    document["parameters"] = parameters();
    document["versions"] = versions();
    document["measured"] = measured();
    document["problems"] = problems();
    document["diagnosis"] = diagnosis();
    document["calls"] = calls_data(record_.calls);
    document["notes"] = notes_;
    document["strings"] = std::move(strings_).json();
    return document;
  }

 private:
  // ---- Head ----

  std::string status() const { return text_or(member(record_.result, "/status"), "unfinished"); }

  std::string name() const {
    const std::filesystem::path folder = record_.folder.has_filename() ? record_.folder : record_.folder.parent_path();
    return text_or(member(record_.result, "/name"), text_or(member(record_.task, "/name"), folder.filename().string()));
  }

  OrderedJson started() const {
    if (record_.calls.empty() || record_.calls.front().start <= 0) return nullptr;
    return std::llround(record_.calls.front().start);
  }

  OrderedJson models() const {
    OrderedJson list = OrderedJson::array();
    const OrderedJson asked = member(record_.task, "/models");
    OrderedJson models = member(record_.result, "/models");
    if (!models.is_object()) models = asked;  // a run that goes on, or died
    if (!models.is_object()) return list;
    for (const auto& [role, model] : models.items()) {
      list.push_back({{"role", role},
                      {"provider", text_or(member(model, "/provider"), "")},
                      {"model", text_or(member(model, "/model"), "")}});
      const std::string endpoint = text_or(member(asked, OrderedJson::json_pointer() / role / "base_url"), "");
      if (!endpoint.empty()) list.back()["endpoint"] = endpoint;
    }
    return list;
  }

  OrderedJson steps_done() const {
    const OrderedJson steps = member(record_.result, "/steps");
    if (steps.is_number_unsigned()) return steps;
    return record_.steps.empty() ? OrderedJson(nullptr) : OrderedJson(record_.steps.back().step);
  }

  OrderedJson head() const {
    const OrderedJson simulated = member(record_.result, "/simulated");
    return {{"tgd", version()},
            {"name", name()},
            {"folder", record_.folder.string()},
            {"status", status()},
            {"ending", member(record_.result, "/ending")},
            {"error", member(record_.result, "/error")},
            {"simulated", simulated.is_boolean() && simulated.get<bool>()},
            {"seconds", or_null(number(member(record_.result, "/seconds")))},
            {"steps_done", steps_done()},
            {"best", or_null(best_step(record_))},
            {"started", started()},
            {"metric", metric_name(text_or(member(record_.task, "/evaluator/type"), "exact_match"))},
            {"higher", higher_},
            {"best_score", number(member(record_.task, "/evaluator/best_score")).value_or(1)},
            {"models", models()}};
  }

  // ---- Figures ----

  const PartRecord* part(const std::string& name) const {
    const auto found =
        std::find_if(record_.parts.begin(), record_.parts.end(), [&](const PartRecord& part) { return part.name == name; });
    return found == record_.parts.end() ? nullptr : &*found;
  }

  /// Where the mean lies in 95 of 100 cases.
  static OrderedJson interval(const SampleScores& scores) {
    const auto interval = interval_of_mean(known_scores(scores));
    return interval ? OrderedJson::array({score(interval->low), score(interval->high)}) : OrderedJson(nullptr);
  }

  OrderedJson outcome_of(const std::string& name) const {
    const OrderedJson figures = member(record_.result, OrderedJson::json_pointer("/accuracy") / name);
    std::optional<double> before = number(member(figures, "/before"));
    std::optional<double> after = number(member(figures, "/after"));
    OrderedJson samples = member(figures, "/samples");
    std::optional<PairedScores> pairs;
    SampleScores first_scores;
    SampleScores last_scores;
    if (const PartRecord* measured = part(name); measured != nullptr && !measured->at.empty()) {
      samples = measured->rows.size();
      if (measured->at.begin()->first == 0) first_scores = measured->at.begin()->second.scores;
      last_scores = best_measurement(record_, *measured).scores;
      const Measurement& first = measured->at.begin()->second;
      const bool has_first = measured->at.begin()->first == 0;
      if (has_first && !before) before = mean_of(first.scores);
      if (!after && (!has_first || measured->at.size() > 1)) after = mean_of(best_measurement(record_, *measured).scores);
      if (has_first && after) pairs = pair_up(first.scores, best_measurement(record_, *measured).scores, higher_);
    }
    return {{"name", name},
            {"samples", samples.is_number() ? samples : OrderedJson(0)},
            {"before", score(before)},
            {"after", score(after)},
            {"before_interval", interval(before ? first_scores : SampleScores())},
            {"after_interval", interval(after ? last_scores : SampleScores())},
            {"p_value", pairs ? OrderedJson(pairs->chance()) : OrderedJson(nullptr)},
            {"better", pairs ? OrderedJson(pairs->better) : OrderedJson(nullptr)},
            {"worse", pairs ? OrderedJson(pairs->worse) : OrderedJson(nullptr)}};
  }

  OrderedJson parts() const {
    std::vector<std::string> names{"test", "validation", "train"};
    for (const PartRecord& part : record_.parts) {
      if (std::find(names.begin(), names.end(), part.name) == names.end()) names.push_back(part.name);
    }
    OrderedJson list = OrderedJson::array();
    for (const std::string& name : names) {
      OrderedJson outcome = outcome_of(name);
      if (!outcome["before"].is_null() || !outcome["after"].is_null()) list.push_back(std::move(outcome));
    }
    return list;
  }

  /// Means of further metrics: [name, part, before, after].
  OrderedJson metrics() const {
    OrderedJson rows = OrderedJson::array();
    for (const PartRecord& measured : record_.parts) {
      if (measured.at.empty()) continue;
      const Measurement& last = best_measurement(record_, measured);
      const auto first = measured.at.find(0);
      std::set<std::string> names;
      for (const auto& each : last.metrics) names.insert(each.first);
      if (first != measured.at.end()) {
        for (const auto& each : first->second.metrics) names.insert(each.first);
      }
      for (const std::string& name : names) {
        const bool is_one = first != measured.at.end() && &first->second == &last && best_step(record_) != std::size_t{0};
        rows.push_back(OrderedJson::array({name, measured.name,
                                           first == measured.at.end() ? score(std::nullopt) : metric(first->second, name),
                                           is_one ? score(std::nullopt) : metric(last, name)}));
      }
    }
    return rows;
  }

  /// Of whole parts: [name, part, [value, low, high] before, after].
  OrderedJson figures() const {
    OrderedJson rows = OrderedJson::array();
    const OrderedJson all = member(record_.result, "/report_metrics");
    if (!all.is_object()) return rows;
    for (const auto& [part, figures] : all.items()) {
      std::vector<std::string> names;
      std::map<std::string, std::array<OrderedJson, 2>> of_name;
      for (const auto& [when, side] : {std::pair("/before", std::size_t{0}), std::pair("/after", std::size_t{1})}) {
        const OrderedJson list = member(figures, when);
        if (!list.is_array()) continue;
        for (const OrderedJson& figure : list) {
          const std::string name = text_or(member(figure, "/name"), "");
          if (!of_name.contains(name)) names.push_back(name);
          const auto value = [&figure](const char* place) { return score(number(member(figure, place))); };
          of_name[name][side] = OrderedJson::array({value("/value"), value("/low"), value("/high")});
        }
      }
      for (const std::string& name : names)
        rows.push_back(OrderedJson::array({name, part, of_name[name][0], of_name[name][1]}));
    }
    return rows;
  }

  static OrderedJson metric(const Measurement& measurement, const std::string& name) {
    const auto found = measurement.metrics.find(name);
    return found == measurement.metrics.end() ? score(std::nullopt) : score(mean_of(found->second));
  }

  /// The result's figures count what no ledger has seen; without a result, what the ledger says.
  OrderedJson usage() const {
    const OrderedJson total = member(record_.result, "/cost/total");
    if (!total.is_object()) return usage_data(record_.calls);
    const auto whole = [&](const char* place) { return number(member(total, place)).value_or(0); };
    const std::optional<double> cost = number(member(total, "/cost_usd"));
    const OrderedJson ledger = usage_data(record_.calls);
    const OrderedJson unknown_models = member(record_.result, "/cost/unknown_models");
    return {{"calls", whole("/usage/calls")},
            {"failed", whole("/failed")},
            {"input", whole("/usage/prompt_tokens")},
            {"output", whole("/usage/completion_tokens")},
            {"cost", or_null(cost)},
            {"known_cost", cost ? OrderedJson(*cost) : OrderedJson(number(member(ledger, "/known_cost")).value_or(0))},
            {"unknown_calls", whole("/unknown_calls")},
            {"unknown_models", unknown_models.is_array() ? unknown_models : OrderedJson::array()}};
  }

  OrderedJson steps() const {
    OrderedJson columns{{"step", OrderedJson::array()},
                        {"epoch", OrderedJson::array()},
                        {"score", OrderedJson::array()},
                        {"samples", OrderedJson::array()},
                        {"failed", OrderedJson::array()}};
    for (const StepRecord& step : record_.steps) {
      columns["step"].push_back(step.step);
      columns["epoch"].push_back(step.epoch);
      // A batch that the step has passed over has no score.
      columns["score"].push_back(step.metrics.samples == 0 ? OrderedJson(nullptr) : score(step.metrics.score));
      columns["samples"].push_back(step.metrics.samples);
      columns["failed"].push_back(step.metrics.failed);
    }
    return columns;
  }

  OrderedJson gates() {
    OrderedJson rows = OrderedJson::array();
    for (const StepRecord& step : record_.steps) {
      if (!step.gate) continue;
      const GateReport& gate = *step.gate;
      rows.push_back(OrderedJson::array({step.step, gate.accepted, strings_.add_if_any(gate.reason), gate.proposals,
                                         score(gate.batch_before), score(gate.batch_after), score(gate.validation_before),
                                         score(gate.validation_after), gate.p_value}));
    }
    return rows;
  }

  OrderedJson validations() const {
    OrderedJson rows = OrderedJson::array();
    for (const ValidationReport& report : record_.validations) {
      rows.push_back(OrderedJson::array({report.epoch, report.step, score(report.metrics.score), report.metrics.samples,
                                         report.metrics.failed, report.is_best}));
    }
    return rows;
  }

  // ---- Races and searches ----

  OrderedJson races() {
    OrderedJson list = OrderedJson::array();
    for (const RaceRecord& race : record_.races) {
      OrderedJson entries = OrderedJson::array();
      for (std::size_t i = 0; i < race.report.entries.size(); ++i) {
        const RaceReport::Entry& entry = race.report.entries[i];
        entries.push_back(OrderedJson::array({strings_.add(entry.name), entry.samples, score(entry.score),
                                              strings_.add_if_any(entry.reason), race.report.best == i}));
      }
      list.push_back({{"step", race.step}, {"accepted", race.report.accepted}, {"entries", std::move(entries)}});
    }
    return list;
  }

  OrderedJson searches() {
    OrderedJson list = OrderedJson::array();
    for (const auto& [step, search] : record_.searches) {
      OrderedJson proposals = OrderedJson::array();
      for (const SearchReport::Proposal& proposal : search.proposals)
        proposals.push_back(OrderedJson::array(
            {strings_.add(proposal.aim), proposal.samples, score(proposal.gain), strings_.add_if_any(proposal.reason)}));
      OrderedJson line{{"step", step}, {"chain_step", search.step}, {"proposals", std::move(proposals)}};
      if (const auto& race = search.race)
        line["race"] = {{"accepted", race->accepted}, {"steps", race->steps},      {"samples", race->samples},
                        {"won", race->wins},          {"lost", race->losses},      {"before", score(race->incumbent)},
                        {"after", score(race->head)}, {"evidence", race->evidence}};
      if (const auto& confirmation = search.confirmation)
        line["confirmation"] = {{"confirmed", confirmation->confirmed}, {"kept", confirmation->kept},
                                {"samples", confirmation->samples},     {"before", score(confirmation->first)},
                                {"after", score(confirmation->last)},   {"p_value", confirmation->p_value}};
      list.push_back(std::move(line));
    }
    return list;
  }

  // ---- Values ----

  struct Parameter {
    std::string role = {};
    std::string first = {};
  };

  std::size_t parameter_number(const std::string& name) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
    names_.push_back(name);
    parameters_.emplace_back();
    return names_.size() - 1;
  }

  /// From the result and the task, should the first line of the versions be missing, and from the versions themselves.
  void find_parameters() {
    const auto take = [&](const OrderedJson& list, const char* first) {
      if (!list.is_object()) return;
      for (const auto& [name, parameter] : list.items()) {
        Parameter& known = parameters_[parameter_number(name)];
        known.role = text_or(member(parameter, "/role"), known.role);
        known.first = text_or(member(parameter, first), known.first);
      }
    };
    take(member(record_.task, "/parameters"), "/value");
    take(member(record_.result, "/parameters"), "/first");
    for (const VersionRecord& version : record_.versions) {
      for (const auto& [name, update] : version.updates) {
        const std::size_t number = parameter_number(name);
        if (version.step == 0 && update.value) parameters_[number].first = *update.value;
      }
    }
  }

  OrderedJson parameters() const {
    OrderedJson list = OrderedJson::array();
    for (std::size_t i = 0; i < names_.size(); ++i) list.push_back({{"name", names_[i]}, {"role", parameters_[i].role}});
    return list;
  }

  OrderedJson update_json(const UpdateRecord& update, std::int64_t value) {
    const bool is_proposal = update.outcome == "rejected" && update.value;
    OrderedJson problems = OrderedJson::array();
    for (const auto& [problem, reason] : update.problems) {
      problems.push_back(OrderedJson::array({problem, strings_.add_if_any(reason)}));
    }
    OrderedJson feedback = OrderedJson::array();
    for (const std::string& text : update.feedback) feedback.push_back(strings_.add(text));
    return {{"outcome", update.outcome},
            {"value", value},
            {"proposal", is_proposal ? OrderedJson(strings_.add(*update.value)) : OrderedJson(nullptr)},
            {"edits", or_null(update.edit_distance)},
            {"requests", update.requests},
            {"reason", strings_.add_if_any(update.reason)},
            {"problems", problems},
            {"feedback", feedback}};
  }

  OrderedJson version_json(const VersionRecord& version, std::vector<std::int64_t>& values) {
    std::vector<UpdateRecord> updates(names_.size(), UpdateRecord{.outcome = version.step == 0 ? "first" : "unchanged"});
    for (const auto& [name, update] : version.updates) {
      const std::size_t number = parameter_number(name);
      updates[number] = update;
      if (version.step == 0) updates[number].outcome = "first";
      if (update.outcome == "updated" && update.value) values[number] = strings_.add(*update.value);
    }
    OrderedJson of = OrderedJson::array();
    for (std::size_t i = 0; i < updates.size(); ++i) of.push_back(update_json(updates[i], values[i]));
    return {{"epoch", version.epoch},
            {"step", version.step},
            {"seconds", or_null(version.seconds)},
            {"of", of},
            {"batch", version.batch ? batch_json(*version.batch) : OrderedJson(nullptr)}};
  }

  /// [rows, predictions, scores, raw replies, explanations].
  OrderedJson batch_json(const BatchRecord& batch) {
    OrderedJson json = measurement_json(batch.measurement);
    json.insert(json.begin(), OrderedJson(batch.rows));
    return json;
  }

  /// What the result tells when the versions were not written.
  VersionRecord best_version() const {
    VersionRecord version{.step = best_step(record_).value_or(0)};
    for (const std::string& name : names_) {
      const OrderedJson best = member(record_.result, OrderedJson::json_pointer("/parameters") / name / "best");
      if (best.is_string()) version.updates.emplace_back(name, UpdateRecord{.outcome = "updated", .value = best});
    }
    return version;
  }

  OrderedJson versions() {
    if (names_.empty()) return OrderedJson::array();
    std::vector<std::int64_t> values;
    for (const Parameter& parameter : parameters_) values.push_back(strings_.add(parameter.first));
    std::vector<VersionRecord> versions = record_.versions;
    if (versions.empty() || versions.front().step != 0) versions.insert(versions.begin(), VersionRecord{});
    if (versions.size() == 1 && best_version().step > 0) versions.push_back(best_version());
    OrderedJson list = OrderedJson::array();
    for (const VersionRecord& version : versions) list.push_back(version_json(version, values));
    return list;
  }

  // ---- Samples ----

  /// [predictions, scores, raw replies by row where the prediction is not all of one, what the evaluator said by row].
  OrderedJson measurement_json(const Measurement& measurement) {
    OrderedJson predictions = OrderedJson::array();
    for (const auto& prediction : measurement.predictions) predictions.push_back(prediction ? shown(*prediction) : -1);
    OrderedJson scores = OrderedJson::array();
    for (const auto& one : measurement.scores) scores.push_back(compact_score(one));
    const auto by_row = [&](const std::map<std::size_t, std::string>& texts) {
      OrderedJson json = OrderedJson::object();
      for (const auto& [row, text] : texts) json[std::to_string(row)] = shown(text);
      return json;
    };
    return OrderedJson::array(
        {std::move(predictions), std::move(scores), by_row(measurement.replies), by_row(measurement.explanations)});
  }

  /// Whole where there are few.
  std::int64_t shown(const std::string& text) {
    return strings_.add(excerpt_limit_ ? tgd::detail::excerpt(text, *excerpt_limit_) : text);
  }

  OrderedJson measured() {
    OrderedJson list = OrderedJson::array();
    for (const PartRecord& part : record_.parts) {
      OrderedJson inputs = OrderedJson::array();
      for (const std::string& input : part.inputs) inputs.push_back(shown(input));
      OrderedJson targets = OrderedJson::array();
      for (const std::string& target : part.targets) targets.push_back(shown(target));
      OrderedJson at = OrderedJson::array();
      for (const auto& [step, measurement] : part.at) {
        OrderedJson line = measurement_json(measurement);
        line.insert(line.begin(), OrderedJson(step));
        at.push_back(std::move(line));
      }
      list.push_back({{"part", part.name},
                      {"rows", part.rows},
                      {"file", part.file},
                      {"lines", part.lines.empty() ? OrderedJson(nullptr) : OrderedJson(part.lines)},
                      {"targets", part.targets.empty() ? OrderedJson(nullptr) : std::move(targets)},
                      {"inputs", std::move(inputs)},
                      {"at", std::move(at)}});
    }
    return list;
  }

  /// The samples that had a problem, each problem of each once: part, row, kind, text, whether it is a failure, and in how many of
  /// the measurements of its part.
  OrderedJson problems() {
    OrderedJson rows = OrderedJson::array();
    for (const PartRecord& part : record_.parts) {
      using Seen = std::pair<const Problem*, std::size_t>;
      std::map<std::tuple<std::size_t, Problem::Kind, std::string>, Seen> seen;
      for (const auto& [step, measurement] : part.at) {
        for (const auto& [row, problem] : measurement.problems) {
          Seen& one = seen[{row, problem.kind, problem.text}];
          one = {&problem, one.second + 1};
        }
      }
      for (const auto& [key, one] : seen) {
        rows.push_back(
            OrderedJson::array({part.name, std::get<0>(key), to_string(one.first->kind), strings_.add(to_string(*one.first)),
                                one.first->is_failure, one.second, part.at.size()}));
      }
    }
    return rows;
  }

  /// What the best values still lack, as code has counted it: sentences, and the samples of each finding by their rows.
  OrderedJson diagnosis() {
    const OrderedJson known = member(record_.result, "/diagnosis");
    if (!known.is_object()) return nullptr;
    const std::string name = text_or(member(known, "/part"), "test");
    const PartRecord* measured = part(name);
    OrderedJson findings = OrderedJson::array();
    const OrderedJson all = member(known, "/findings");
    if (all.is_array()) {
      for (const OrderedJson& finding : all) {
        OrderedJson rows = OrderedJson::array();
        const OrderedJson samples = member(finding, "/samples");
        for (const OrderedJson& sample : samples.is_array() ? samples : OrderedJson::array()) {
          const bool is_known =
              measured != nullptr && sample.is_number_unsigned() && sample.get<std::size_t>() < measured->rows.size();
          if (is_known) rows.push_back(measured->rows[sample.get<std::size_t>()]);
        }
        findings.push_back(
            OrderedJson::array({text_or(member(finding, "/kind"), ""), number(member(finding, "/count")).value_or(0), rows}));
      }
    }
    return {{"part", name},
            {"samples", number(member(known, "/samples")).value_or(0)},
            {"solved", number(member(known, "/solved")).value_or(0)},
            {"text", strings_.add_if_any(text_or(member(known, "/text"), ""))},
            {"findings", findings}};
  }

  /// "1" is a third of "1.0", and there may be hundreds of thousands of them.
  static OrderedJson compact_score(const std::optional<double>& value) {
    if (value && (*value == 0 || *value == 1)) return static_cast<int>(*value);
    return score(value);
  }

  const RunRecord& record_;
  std::vector<std::string> notes_;
  const std::optional<std::size_t> excerpt_limit_;
  bool higher_ = true;
  std::vector<std::string> names_;
  std::vector<Parameter> parameters_;
  Strings strings_;
};

}  // namespace

OrderedJson report_data(const RunRecord& record) { return Builder(record).build(); }

}  // namespace tgd::cli
