#include "cli/progress.hpp"

#include <fmt/format.h>

namespace tgd::cli {

namespace {

OrderedJson updates_json(const TaskAgent& agent) {
  OrderedJson json = OrderedJson::object();
  const auto values = agent.values();
  const auto& updates = agent.last_updates();
  for (std::size_t i = 0; i < updates.size(); ++i) {
    OrderedJson update{{"outcome", optim::to_string(updates[i].outcome)}, {"requests", updates[i].requests}};
    if (updates[i].outcome == optim::ParameterUpdate::Outcome::updated) update["edit_distance"] = updates[i].edit_distance;
    if (!updates[i].reason.empty()) update["reason"] = updates[i].reason;
    json[values[i].first] = std::move(update);
  }
  return json;
}

/// What became of the parameters, for the progress line; nothing where no feedback came.
std::string updates_text(const TaskAgent& agent) {
  using Outcome = optim::ParameterUpdate::Outcome;
  std::string text;
  const auto values = agent.values();
  const auto& updates = agent.last_updates();
  for (std::size_t i = 0; i < updates.size(); ++i) {
    if (updates[i].outcome == Outcome::no_feedback) continue;
    const bool is_kept = updates[i].outcome == Outcome::kept;
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", values[i].first,
                        updates[i].outcome == Outcome::updated ? "rewritten" : optim::to_string(updates[i].outcome),
                        is_kept ? " (" + updates[i].reason + ")" : "");
  }
  return text;
}

}  // namespace

std::string percent(double share) { return fmt::format("{:.1f}%", share * 100); }

RunLog::RunLog(RunFolder& folder, const TaskAgent& agent) : folder_(folder), agent_(agent) {}

void RunLog::on_step(const StepReport& report) {
  folder_.add_metrics({{"kind", "step"},
                       {"epoch", report.epoch},
                       {"step", report.step},
                       {"score", report.metrics.score},
                       {"samples", report.metrics.samples},
                       {"parameters", updates_json(agent_)},
                       {"seconds", seconds()}});
}

void RunLog::on_validation(const ValidationReport& report) {
  folder_.add_metrics({{"kind", "validation"},
                       {"epoch", report.epoch},
                       {"step", report.step},
                       {"score", report.metrics.score},
                       {"samples", report.metrics.samples},
                       {"is_best", report.is_best},
                       {"seconds", seconds()}});
  // The first values are the user's own: until something is better there is nothing to keep.
  if (report.is_best && report.step > 0) folder_.write_parameters(agent_.values(), agent_.state_dict());
}

double RunLog::seconds() const {
  const auto elapsed = std::chrono::steady_clock::now() - start_;
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count()) / 1000;
}

Progress::Progress(Terminal& terminal, const TaskAgent& agent) : terminal_(terminal), agent_(agent) {}

void Progress::on_step(const StepReport& report) {
  const std::string updates = updates_text(agent_);
  const char* none = report.metrics.score < 1 ? "no feedback" : "nothing to improve";
  const std::string text =
      fmt::format("epoch {}/{}  step {}/{}  batch {:>6}  {}", report.epoch, report.epochs, report.step_in_epoch,
                  report.steps_in_epoch, percent(report.metrics.score), updates.empty() ? none : updates);
  terminal_.progress(text);
}

void Progress::on_validation(const ValidationReport& report) {
  const std::string when =
      report.step == 0 ? "first prompt" : fmt::format("epoch {}, after step {}", report.epoch, report.step);
  terminal_.note(fmt::format("{}: validation {}{}", when, percent(report.metrics.score),
                             report.is_best && report.step > 0 ? " (best so far)" : ""));
}

}  // namespace tgd::cli
