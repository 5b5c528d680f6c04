// What is measured on a whole part of the data, where no mean over samples says it: F1 by class, the area under the ROC curve,
// correlations. Each with the interval in which it lies in 95 % of 1,000 parts of the same size that are drawn from the part.
// Thread-safety: functions of their arguments; the same arguments give the same figures.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "task/document.hpp"
#include "task/task.hpp"

namespace tgd::cli {

struct SetFigure {
  std::string name;  ///< "F1 of billing", "correlation"
  double value = 0;
  double low = 0;  ///< the ends of the interval
  double high = 0;
  std::size_t samples = 0;  ///< that it is of: those without a number have no correlation
};

/// What the task's "report_metrics" come to. Of samples without an answer the prediction is empty. What cannot be said of such
/// a part, such as the AUC of one class, is left out.
std::vector<SetFigure> set_figures(const Task& task, const std::vector<std::string>& predictions,
                                   const std::vector<std::string>& targets);

/// [{"name", "value", "low", "high", "samples"}]
OrderedJson figures_json(const std::vector<SetFigure>& figures);
/// "0.812 [0.744, 0.871]"
std::string figure_text(const SetFigure& figure);

}  // namespace tgd::cli
