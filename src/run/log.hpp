// What the program does while a run goes on: it notes what became of each parameter and each sample, and keeps the best parameters
// on disk. How far the run is says tgd::Progress.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include <tgd/lm/budgeted.hpp>
#include <tgd/trainer.hpp>

#include "run/folder.hpp"
#include "task/agent.hpp"

namespace tgd::cli {

class RunLog final : public TrainerCallback {
 public:
  using Say = std::function<void(const std::string&)>;

  /// `say` hears in words what became of each parameter; it may be empty.
  RunLog(const RunFolder& folder, TaskAgent& agent, const Task& task, const TaskData& data, Say say)
      : folder_(folder), agent_(agent), task_(task), data_(data), say_(std::move(say)) {}

  void on_start(const RunInfo& info) override;
  void on_step(const StepReport& report) override;
  void on_validation(const ValidationReport& report) override;

 private:
  std::string version() const;

  const RunFolder& folder_;
  TaskAgent& agent_;
  const Task& task_;
  const TaskData& data_;
  Say say_;
  std::function<RunStatus()> status_;
  std::map<std::string, SampleResults> tried_;  // by version, between two validations
};

/// How a run ends that may use no more.
inline constexpr const char* budget_used_up = "the budget is used up";

/// Ends a run while its budget still has room for `reserved_calls` calls of the price that calls had so far, so that the outcome can
/// be measured.
class BudgetGuard final : public TrainerCallback {
 public:
  /// `limits`: of the whole run.
  BudgetGuard(const lm::BudgetLimits& limits, const detail::Journal& journal, std::size_t reserved_calls)
      : limits_(limits), journal_(journal), reserved_(static_cast<std::int64_t>(reserved_calls)) {}

  void on_start(const RunInfo& info) override {
    stop_ = info.stop_because;
    status_ = info.status;
  }
  void on_step(const StepReport&) override;
  bool has_ended_run() const { return has_ended_run_; }
  /// Whether there is room for so many calls beside those that are reserved; where there is none the run ends. For
  /// TrainerOptions::has_room.
  bool has_room(std::int64_t calls);

 private:
  bool is_short(std::int64_t reserved) const;
  void end_run();

  const lm::BudgetLimits limits_;
  const detail::Journal& journal_;
  std::int64_t reserved_;
  std::function<RunStatus()> status_;
  std::function<void(std::string)> stop_;
  bool has_ended_run_ = false;
};

}  // namespace tgd::cli
