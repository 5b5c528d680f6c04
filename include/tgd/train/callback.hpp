// Who is told what a run does.
#pragma once

#include <exception>

#include <tgd/export.hpp>
#include <tgd/train/reports.hpp>

namespace tgd {

struct FitResult;

/// Hears what happens during fit(), at every border, in this order:
///
///   on_start
///     on_validation_start, on_validation, on_checkpoint             before the first step
///     on_step, on_validation_start, on_validation, on_checkpoint    the race of first proposals, where there are any
///     on_epoch
///       on_batch_start
///       on_before_backward, on_after_backward                       the gradients are there
///       on_before_optimizer_step, on_after_optimizer_step           for each optimizer
///       on_step, on_checkpoint                                      the end of the batch
///       on_validation_start, on_validation, on_checkpoint           where it is due
///     on_epoch_end                                                  also where a limit has cut the epoch short
///     on_step, on_validation_start, on_validation                   the race of a chain that the end has cut short
///     on_step, on_validation                                        the confirmation; the first values, where these are kept
///   on_end
///
/// A batch that the step skips, and an agent that optimizes by hand, have neither backward nor optimizer borders; checkpoints
/// need a run folder. With the gate all optimizers are announced, then stepped. What a callback throws ends the run; on_error
/// and on_end are called all the same.
class TGD_API TrainerCallback {
 public:
  virtual ~TrainerCallback();
  virtual void on_start(const RunInfo&) {}  ///< after the checkpoint was loaded
  virtual void on_epoch(std::size_t) {}     ///< about to begin, or to go on
  virtual void on_batch_start(const BatchInfo&) {}
  virtual void on_before_backward(const BatchInfo&, const StepResult&) {}
  virtual void on_after_backward(const BatchInfo&) {}
  virtual void on_before_optimizer_step(const BatchInfo&, optim::Optimizer&) {}
  virtual void on_after_optimizer_step(const BatchInfo&, optim::Optimizer&) {}
  virtual void on_step(const StepReport&) {}
  virtual void on_validation_start(const ValidationInfo&) {}
  virtual void on_validation(const ValidationReport&) {}
  virtual void on_checkpoint(const CheckpointInfo&) {}  ///< saved and synced
  virtual void on_epoch_end(std::size_t) {}
  virtual void on_error(const std::exception_ptr&) {}  ///< what fit() is about to throw. Must not throw
  /// Always called after on_start(); null after an error. Must not throw.
  virtual void on_end(const FitResult*) {}
};

}  // namespace tgd
