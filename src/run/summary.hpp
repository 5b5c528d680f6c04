// The outcome of a run: as result.json, and as texts for people.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/optim/diagnosis.hpp>
#include <tgd/trainer.hpp>

#include "run/folder.hpp"
#include "run/paired.hpp"
#include "task/models.hpp"
#include "task/set_metrics.hpp"
#include "task/task.hpp"

namespace tgd::cli {

/// A score as people read it: 0.5625 as "56.2%" where 1 is the best, else the number.
std::string score_text(const EvaluatorSpec& evaluator, double score);
/// A difference of scores: "+50.7 points", "-0.25".
std::string difference_text(const EvaluatorSpec& evaluator, double difference);
/// What a score of an evaluator of this type is, for people: "accuracy (exact match)", "F1 of words", "score (judged by a
/// model)".
std::string metric_name(const std::string& evaluator_type);
/// "Accuracy", or "Score" where that is no share of right answers.
std::string score_name(const EvaluatorSpec& evaluator);
/// How likely a difference is chance: "p < 0.001", "p = 0.042".
std::string chance_text(double chance);

/// "Calls: 961 (23 backward, …); tokens: … in, … out; cost: …".
std::string calls_text(const CallCounts& counts, const lm::CostReport& costs);

/// One part of the data, measured sample by sample with the first and with the best parameters. Empty: not measured.
struct PartScores {
  /// The mean of a further metric.
  struct Metric {
    std::optional<double> before = {};
    std::optional<double> after = {};
  };
  std::vector<double> before = {};
  std::vector<double> after = {};
  std::map<std::string, Metric> metrics = {};
  /// Of the whole part.
  std::vector<SetFigure> figures_before = {};
  std::vector<SetFigure> figures_after = {};
};

struct RunReport {
  const Task* task = nullptr;
  PartScores train = {};
  PartScores validation = {};
  PartScores test = {};
  NamedValues values = {};  ///< the best so far
  std::size_t steps = 0;
  NewValues new_values = {};
  std::optional<ValidationReport> best = {};
  std::string status = "ok";  ///< or "failed", "interrupted"
  std::string ending = {};    ///< why the training ended
  std::string error = {};
  lm::CostReport usage = {};
  CallCounts calls = {};
  lm::ModelCost abandoned = {};
  double seconds = 0;
  RunProblems problems = {};
  std::optional<optim::Diagnosis> diagnosis = {};  ///< of the test part with the best values
};

using NamedScores = std::pair<const char*, const PartScores*>;
/// The parts, the one that counts most first.
std::array<NamedScores, 3> parts_of(const RunReport& report);
/// Whether a task measures more than its scores.
bool has_metrics(const RunReport& report);
/// A figure of a metric, whose scale nobody knows: four digits of it; "-" where there is none.
std::string metric_text(const std::optional<double>& figure);
/// How likely it is that the difference is chance; nothing where one of both was not measured.
std::optional<double> chance_of(const PartScores& scores);

OrderedJson result_json(const RunReport& report, const Models& models, const RunFolder& folder);

}  // namespace tgd::cli
