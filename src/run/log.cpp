#include "run/log.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/counted.hpp"
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

}  // namespace

void RunLog::on_start(const RunInfo& info) {
  status_ = info.status;
  if (!folder_.has_versions()) folder_.add_version({{"kind", "first"}, {"step", 0}, {"parameters", first_json(task_)}});
}

void RunLog::on_step(const StepReport& report) {
  folder_.add_version({{"kind", "step"},
                       {"epoch", report.epoch},
                       {"step", report.step},
                       {"seconds", status_().seconds},
                       {"parameters", updates_json(report.updates, agent_.values())}});
  if (!say_) return;
  const NamedValues values = agent_.values();
  for (std::size_t i = 0; i < report.updates.size(); ++i) say_(update_text(values[i].first, report.updates[i]));
}

void RunLog::on_validation(const ValidationReport& report) {
  const SampleResults results = agent_.take_results();
  if (!results.rows.empty()) folder_.add_scores("validation", report.step, data_.validation, results);
  // The first values are the user's own: until something is better there is nothing to keep.
  if (report.is_best && report.step > 0) folder_.write_parameters(agent_.values(), agent_.state_dict());
}

void BudgetGuard::on_step(const StepReport&) {
  if (has_ended_run_ || !is_short()) return;
  has_ended_run_ = true;
  stop_(budget_used_up);
}

// By what was used, and not by what a process that died has asked already of the steps to come: the run ends where it would have.
bool BudgetGuard::is_short() const {
  const lm::ModelCost used = journal_.spent();
  const std::int64_t calls = std::max<std::int64_t>(used.usage.calls, 1);
  const auto is_below = [&](const auto& limit, std::int64_t spent) {
    return limit && detail::saturated_difference(*limit, spent) < detail::saturated_product(spent / calls, reserved_);
  };
  const std::optional<std::int64_t> most =
      limits_.usd ? std::optional(lm::Cost::from_usd(*limits_.usd).pico_usd()) : std::nullopt;
  return is_below(limits_.calls, used.usage.calls) || is_below(limits_.prompt_tokens, used.usage.counted_prompt_tokens()) ||
         is_below(limits_.completion_tokens, used.usage.counted_completion_tokens()) || is_below(most, used.cost.pico_usd()) ||
         (limits_.seconds && status_().seconds >= *limits_.seconds);
}

}  // namespace tgd::cli
