#include "run/log.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/counted.hpp"
#include "core/digest.hpp"
#include "core/saturating.hpp"
#include "core/text.hpp"

namespace tgd::cli {

namespace {

using Outcome = optim::ParameterUpdate::Outcome;

constexpr std::size_t most_feedback = 2000;  // characters of one text

OrderedJson update_json(const optim::ParameterUpdate& update) {
  OrderedJson json{{"outcome", optim::to_string(update.outcome)}, {"requests", update.requests}};
  if (update.outcome == Outcome::updated || update.outcome == Outcome::rejected) {
    json["value"] = update.new_value;
    json["edit_distance"] = update.edit_distance;
  }
  if (!update.reason.empty()) json["reason"] = update.reason;
  for (const optim::UnusableReply& problem : update.problems)
    json["problems"].push_back({{"problem", optim::to_string(problem.problem)}, {"reason", problem.reason}});
  for (const Variable& gradient : update.gradients) {
    if (const std::string text = gradient.data().item_text(); !text.empty())
      json["feedback"].push_back(detail::excerpt(text, most_feedback));
  }
  return json;
}

OrderedJson updates_json(const std::vector<optim::ParameterUpdate>& updates, const NamedValues& values) {
  OrderedJson json = OrderedJson::object();
  for (std::size_t i = 0; i < updates.size(); ++i) json[values[i].first] = update_json(updates[i]);
  return json;
}

/// "instructions: updated, 12 words changed", with what was wrong where something was.
std::string update_text(const std::string& name, const optim::ParameterUpdate& update) {
  std::string text = fmt::format("  {}: {}", name, optim::to_string(update.outcome));
  if (update.edit_distance > 0) text += fmt::format(", {} changed", tgd::detail::counted(update.edit_distance, "word"));
  if (update.requests > 1) text += fmt::format(", {}", tgd::detail::counted(update.requests, "request"));
  return update.reason.empty() ? text : text + ": " + update.reason;
}

OrderedJson first_json(const Task& task) {
  OrderedJson json = OrderedJson::object();
  for (const ParameterSpec& parameter : task.parameters)
    json[parameter.name] = {{"role", parameter.role}, {"value", parameter.value}};
  return json;
}

/// Of other samples.
void append(SampleResults& results, SampleResults more) {
  const std::size_t first = results.rows.size();
  results.rows.insert(results.rows.end(), more.rows.begin(), more.rows.end());
  std::move(more.predictions.begin(), more.predictions.end(), std::back_inserter(results.predictions));
  results.scores.insert(results.scores.end(), more.scores.begin(), more.scores.end());
  for (const auto& [name, values] : more.metrics) {
    std::vector<std::optional<double>>& all = results.metrics[name];
    all.resize(first);
    all.insert(all.end(), values.begin(), values.end());
  }
  for (auto& [name, values] : results.metrics) values.resize(results.rows.size());
  results.problems.merge(more.problems);
  results.replies.merge(more.replies);
  results.explanations.merge(more.explanations);
}

}  // namespace

void RunLog::on_start(const RunInfo& info) {
  status_ = info.status;
  tried_ = folder_.tried(data_.validation);
  if (!folder_.has_versions()) folder_.add_version({{"kind", "first"}, {"step", 0}, {"parameters", first_json(task_)}});
}

void RunLog::on_step(const StepReport& report) {
  const bool has_batch = !report.search || report.search->step > 0;
  OrderedJson line{{"kind", has_batch ? "step" : "search"},
                   {"epoch", report.epoch},
                   {"step", report.step},
                   {"seconds", status_().seconds},
                   {"parameters", updates_json(report.updates, agent_.values())}};
  if (const SampleResults batch = agent_.take_batch(); !batch.rows.empty()) {
    line["batch"] = {{"rows", batch.rows}};
    line["batch"].update(scores_json(batch.rows, batch));
  }
  folder_.add_version(line);
  // A validation to come does not measure them again, and a run that goes on elsewhere has only what is written.
  if (SampleResults results = agent_.take_results(); !results.rows.empty()) {
    const std::string version = this->version();
    folder_.add_tried(version, data_.validation, results);
    append(tried_[version], std::move(results));
  }
  if (!say_) return;
  const NamedValues values = agent_.values();
  for (std::size_t i = 0; i < report.updates.size(); ++i) say_(update_text(values[i].first, report.updates[i]));
}

/// Of the present values.
std::string RunLog::version() const {
  detail::Digest digest;
  for (const auto& [name, value] : agent_.values()) digest.add(name).add(value);
  return digest.hex();
}

void RunLog::on_validation(const ValidationReport& report) {
  SampleResults results;
  if (const auto found = tried_.find(version()); found != tried_.end()) results = found->second;
  append(results, agent_.take_results());
  // At the end of a run the first values may come back, whose scores are there.
  const bool is_back = report.step == 0 && folder_.results("validation", 0, data_.validation).has_value();
  if (!results.rows.empty() && !is_back) folder_.add_scores("validation", report.step, data_.validation, results);
  // The first values are the user's own: until something is better there is nothing to keep.
  if (report.is_best && (report.step > 0 || folder_.has_parameters()))
    folder_.write_parameters(agent_.values(), agent_.state_dict());
}

void BudgetGuard::on_step(const StepReport&) {
  if (!has_ended_run_ && is_short(reserved_)) end_run();
}

bool BudgetGuard::has_room(std::int64_t calls) {
  if (!is_short(detail::saturated_sum(reserved_, calls))) return true;
  if (!has_ended_run_) end_run();
  return false;
}

void BudgetGuard::end_run() {
  has_ended_run_ = true;
  stop_(budget_used_up);
}

// By what was used, and not by what a process that died has asked already of the steps to come: the run ends where it would have.
bool BudgetGuard::is_short(std::int64_t reserved) const {
  const lm::ModelCost used = journal_.spent();
  const std::int64_t calls = std::max<std::int64_t>(used.usage.calls, 1);
  const auto is_below = [&](const auto& limit, std::int64_t spent) {
    return limit && detail::saturated_difference(*limit, spent) < detail::saturated_product(spent / calls, reserved);
  };
  const std::optional<std::int64_t> most =
      limits_.usd ? std::optional(lm::Cost::from_usd(*limits_.usd).pico_usd()) : std::nullopt;
  return is_below(limits_.calls, used.usage.calls) || is_below(limits_.prompt_tokens, used.usage.counted_prompt_tokens()) ||
         is_below(limits_.completion_tokens, used.usage.counted_completion_tokens()) ||
         is_below(most, (used.cost + journal_.estimated_of_used()).pico_usd()) ||
         (limits_.seconds && status_().seconds >= *limits_.seconds);
}

}  // namespace tgd::cli
