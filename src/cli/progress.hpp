// What the program does while a run goes on: it writes the run's log, keeps the best parameters on disk, and says how far it is.
#pragma once

#include <chrono>

#include <tgd/trainer.hpp>

#include "cli/run_folder.hpp"
#include "cli/task_agent.hpp"
#include "cli/terminal.hpp"

namespace tgd::cli {

/// 0.5625 as "56.2%".
std::string percent(double share);

class RunLog final : public TrainerCallback {
 public:
  RunLog(RunFolder& folder, const TaskAgent& agent);

  void on_step(const StepReport& report) override;
  void on_validation(const ValidationReport& report) override;

 private:
  double seconds() const;

  RunFolder& folder_;
  const TaskAgent& agent_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Progress final : public TrainerCallback {
 public:
  Progress(Terminal& terminal, const TaskAgent& agent);

  void on_step(const StepReport& report) override;
  void on_validation(const ValidationReport& report) override;

 private:
  Terminal& terminal_;
  const TaskAgent& agent_;
};

}  // namespace tgd::cli
