// Headroom: what optimizing a task may gain, found with some 60 answers before a run is paid for. A few validation samples are answered
// with the start values, with the same values once more, with what code can propose and with one new value of the teacher's.
// Errors: BudgetError; tgd::Error for what would end a run. Thread-safety: one at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tgd/prompts.hpp>

#include "run/paired.hpp"
#include "task/data.hpp"
#include "task/models.hpp"
#include "task/task.hpp"

namespace tgd::cli {

struct Headroom {
  /// Values that were tried, and what became of each sample.
  struct Version {
    std::string name;
    SampleScores scores = {};  ///< in one order for all versions
    std::size_t solved = 0;
  };

  std::size_t samples = 0;
  Version start;
  Version again;                        ///< the start values, asked a second time
  std::vector<Version> proposals = {};  ///< written by code
  std::optional<Version> taught = {};   ///< the teacher's new value; nothing: there was none to try
  std::string untaught = {};            ///< why there was none
  bool is_teacher_of_no_use = false;    ///< it was asked for one, and none came that could be used

  std::size_t always_solved = 0;
  std::size_t never_solved = 0;
  std::size_t unsteady = 0;  ///< samples whose score changed by itself

  /// In the order in which they were tried.
  std::vector<const Version*> versions() const;
  /// The best of what was tried beside the start values; the first of equals. Null: nothing was.
  const Version* best(const EvaluatorSpec& evaluator) const;
  /// Whether optimizing is worth its calls, and with which settings: two sentences.
  std::vector<std::string> verdict(const Task& task) const;
};

/// Needs samples in the validation part. Ends early when `is_stopped` says so, with what is known by then.
Headroom find_headroom(const Task& task, const TaskData& data, const Models& models, const Prompts& prompts,
                       const std::function<bool()>& is_stopped);

}  // namespace tgd::cli
