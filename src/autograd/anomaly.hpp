// Anomaly mode's inside. Private to the library.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/anomaly.hpp>
#include <tgd/autograd.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/place.hpp>

namespace tgd::detail {

struct AnomalyMode {
  OnNotice on_notice;
  AnomalyOptions options;

  /// Tells the callback, or throws GraphError where there is none.
  void report(Notice notice) const;
};

/// The mode of the innermost guard on this thread; null without one.
std::shared_ptr<const AnomalyMode> anomaly_mode();

/// While it lives, nodes made on this thread were called from `place`, if anomaly mode is on. An operation that is part of
/// another one keeps the other's place.
class CalledFrom {
 public:
  explicit CalledFrom(Place place) noexcept;
  ~CalledFrom();
  CalledFrom(const CalledFrom&) = delete;
  CalledFrom& operator=(const CalledFrom&) = delete;

 private:
  bool outermost_;
};

/// The place of the operation that is being called; unknown when anomaly mode is off.
Place called_place() noexcept;

/// Looks at what a node made of its feedback. `asked` are the texts of its requests in the order of the replies.
void check_feedback(const AnomalyMode& mode, const autograd::Node& node, const autograd::Feedback& feedback,
                    std::span<const std::string> asked, std::span<const lm::Reply> replies,
                    std::span<const autograd::Gradient> gradients);

}  // namespace tgd::detail
