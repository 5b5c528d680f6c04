// Anomaly mode: finds the operation behind odd feedback.
//
//   const tgd::AnomalyGuard guard([](const tgd::Notice& notice) { fmt::print("{}: {}\n", notice.place, notice.text); });
//   loss.backward();
//
// While a guard lives, the operations of its thread record where they were called, and its passes look at all feedback on the
// way. The same places stand in the errors of these passes. Off by default, and free when off.
// Thread-safety: a guard belongs to its thread. Its callback may be called from any thread, also after the guard's end, by
// operations that were under way.
// Model: torch.autograd.detect_anomaly.
#pragma once

#include <cstddef>
#include <memory>

#include <tgd/export.hpp>
#include <tgd/notice.hpp>

namespace tgd {

namespace detail {
struct AnomalyMode;
}

struct AnomalyOptions {
  std::size_t max_feedback = 8'000;  ///< more characters (UTF-8 bytes) in one item's feedback are reported
};

/// Reports (Notice::Kind):
///   empty_feedback       a reply without text; a node that got feedback and has none for an input
///   echoed_feedback      a reply that stands word for word in the request
///   oversized_feedback   more than AnomalyOptions::max_feedback
///   unparsable_feedback  a reply that an operation could not read, or that is not valid UTF-8
/// Without a callback the first anomaly is thrown as a GraphError. What the callback throws ends the pass: no gradient of any
/// leaf has changed then. Nests; the innermost guard counts.
class TGD_API AnomalyGuard {
 public:
  explicit AnomalyGuard(OnNotice on_notice = {}, const AnomalyOptions& options = {});
  ~AnomalyGuard();
  AnomalyGuard(const AnomalyGuard&) = delete;
  AnomalyGuard& operator=(const AnomalyGuard&) = delete;

 private:
  std::shared_ptr<const detail::AnomalyMode> previous_;
};

}  // namespace tgd
