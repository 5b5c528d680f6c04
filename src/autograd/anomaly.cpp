#include "autograd/anomaly.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd {

namespace {

using autograd::Feedback;
using autograd::Gradient;
using autograd::Node;
using Kind = Notice::Kind;

thread_local std::shared_ptr<const detail::AnomalyMode> mode_of_thread;
thread_local bool anomalies_are_watched = false;  // the same as a plain flag, so that nodes pay nothing when it is off
thread_local Place place_of_call;

void set_mode(std::shared_ptr<const detail::AnomalyMode> mode) {
  mode_of_thread = std::move(mode);
  anomalies_are_watched = mode_of_thread != nullptr;
}

/// One node's feedback under inspection.
class Inspection {
 public:
  Inspection(const detail::AnomalyMode& mode, const Node& node) : mode_(mode), node_(node) {}

  void look_at_reply(const lm::Reply& reply, std::string_view asked) const {
    const std::string_view text = detail::trim(reply.content);
    if (text.empty()) report(Kind::empty_feedback, "the language model's reply has no text");
    if (!detail::is_utf8(text)) report(Kind::unparsable_feedback, "the language model's reply is not valid UTF-8");
    constexpr std::size_t tellable = 24;  // shorter texts stand in a request by chance
    if (text.size() >= tellable && asked.find(text) != std::string_view::npos) {
      report(Kind::echoed_feedback, fmt::format("the reply repeats its request word for word: \"{}\"", detail::excerpt(text)));
    }
    look_at_size(text.size(), std::nullopt);
  }

  void look_at_gradient(const Feedback& feedback, const Gradient& gradient, std::size_t edge) const {
    const std::string receiver = node_.next_functions()[edge].function->output_role(node_.next_functions()[edge].input_nr);
    const std::size_t size = gradient ? gradient->size() : 1;
    for (std::size_t i = 0; i < size; ++i) {
      const std::string text = gradient ? gradient->data().item_text(i) : std::string();
      const auto item = gradient && gradient->is_batch() ? std::optional(i) : std::nullopt;
      if (text.empty() && got_feedback(feedback, item)) {
        report(Kind::empty_feedback, fmt::format("there was feedback, but nothing of it went on to \"{}\"", receiver), item);
      }
      look_at_size(text.size(), item);
    }
  }

 private:
  void report(Kind kind, std::string text, std::optional<std::size_t> item = std::nullopt) const {
    mode_.report({kind, node_.name(), node_.output_role(0), item, std::move(text), node_.place().text()});
  }

  void look_at_size(std::size_t size, std::optional<std::size_t> item) const {
    if (size <= mode_.options.max_feedback) return;
    report(Kind::oversized_feedback,
           fmt::format("the feedback has {} characters, and {} are expected at most", size, mode_.options.max_feedback), item);
  }

  /// Whether some output got feedback, to this item where both are lists.
  static bool got_feedback(const Feedback& feedback, std::optional<std::size_t> item) {
    return std::any_of(feedback.grad_outputs.begin(), feedback.grad_outputs.end(), [item](const Gradient& given) {
      if (!given) return false;
      const Data& data = given->data();
      if (!data.is_batch()) return !data.item_text().empty();
      if (item && *item < data.size()) return !data.item_text(*item).empty();
      for (std::size_t i = 0; i < data.size(); ++i) {
        if (!data.item_text(i).empty()) return true;
      }
      return false;
    });
  }

  const detail::AnomalyMode& mode_;
  const Node& node_;
};

}  // namespace

AnomalyGuard::AnomalyGuard(OnNotice on_notice, const AnomalyOptions& options) : previous_(mode_of_thread) {
  set_mode(std::make_shared<const detail::AnomalyMode>(detail::AnomalyMode{std::move(on_notice), options}));
}

AnomalyGuard::~AnomalyGuard() { set_mode(std::move(previous_)); }

namespace detail {

void AnomalyMode::report(Notice notice) const {
  if (on_notice) return on_notice(notice);
  throw GraphError(
      fmt::format("{} of \"{}\", called at {}: {}", notice.operation, excerpt(notice.role, 80), notice.place, notice.text));
}

std::shared_ptr<const AnomalyMode> anomaly_mode() { return mode_of_thread; }

CalledFrom::CalledFrom(Place place) noexcept : outermost_(place_of_call.file == nullptr) {
  if (outermost_) place_of_call = place;
}

CalledFrom::~CalledFrom() {
  if (outermost_) place_of_call = {};
}

Place called_place() noexcept { return anomalies_are_watched ? place_of_call : Place(); }

void check_feedback(const AnomalyMode& mode, const Node& node, const Feedback& feedback, std::span<const std::string> asked,
                    std::span<const lm::Reply> replies, std::span<const Gradient> gradients) {
  const Inspection inspection(mode, node);
  for (std::size_t i = 0; i < replies.size(); ++i) inspection.look_at_reply(replies[i], asked[i]);
  for (std::size_t edge = 0; edge < gradients.size(); ++edge) {
    if (feedback.wants(edge)) inspection.look_at_gradient(feedback, gradients[edge], edge);
  }
}

}  // namespace detail

}  // namespace tgd
