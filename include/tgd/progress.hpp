// Progress: a TrainerCallback that says how far a run is.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>

#include <tgd/export.hpp>
#include <tgd/trainer.hpp>

namespace tgd {

/// How a Progress writes.
struct ProgressOptions {
  bool is_terminal = false;
  bool quiet = false;       ///< nothing but note()
  std::size_t width = 100;  ///< of the terminal, in columns
  /// The same, asked before each line: a window may become narrower. Called with a lock held; `width` where it is empty.
  std::function<std::size_t()> current_width = {};
};

/// A TrainerCallback that says how far a run is.
///
///     Trainer trainer({.callbacks = {std::make_shared<Progress>(std::cerr, ProgressOptions{.is_terminal = isatty(2) == 1})}});
///
/// On a terminal one line is kept up to date: epoch and step, remaining time, cost, score, calls in flight, rate, calls,
/// samples; what has no room is left out, the last first. Elsewhere each step is a line of its own. Validations are lines that
/// stay. Steps are numbered from the beginning of the run. Thread-safety: note() may be called from any thread; what else is
/// written to the stream meanwhile would cut the line in two.
class TGD_API Progress : public TrainerCallback {
 public:
  /// `out` has to live as long as this object.
  explicit Progress(std::ostream& out, const ProgressOptions& options = {});
  ~Progress() override;

  void on_start(const RunInfo& info) override;
  void on_step(const StepReport& report) override;
  void on_validation_start(const ValidationInfo& info) override;
  void on_validation(const ValidationReport& report) override;
  void on_end(const FitResult* result) override;

  /// A line of the program's own, between the others.
  void note(const std::string& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tgd
