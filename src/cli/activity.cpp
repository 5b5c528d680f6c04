#include "cli/activity.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/live_line.hpp"
#include "core/start_thread.hpp"

namespace tgd::cli {

namespace {

constexpr std::chrono::milliseconds redraw_after{200};
constexpr std::chrono::seconds log_after{30};

}  // namespace

std::vector<std::string> activity_pieces(const std::string& what, const ActivityStatus& status, double seconds) {
  std::string counter;
  std::string share;
  if (status.total > 0) {
    const double done = std::min(status.done, status.total);  // a call may have been asked again
    counter = fmt::format("  {:.0f}/{:.0f} {}", done, status.total, status.unit);
    share = fmt::format("{:.0f}%", 100 * done / status.total);
  } else if (status.done > 0) {
    counter = fmt::format("  {:.0f} {}", status.done, status.unit);
  }
  const double left = tgd::detail::seconds_left(status.done, status.total, seconds);
  return {what + counter,
          left < 0 ? "" : tgd::detail::clock_text(left) + " left",
          !status.has_cost || status.done == 0 ? ""
          : status.cost                        ? status.cost->text()
                                               : "cost unknown",
          status.in_flight > 0 ? fmt::format("{} in flight", status.in_flight) : "",
          tgd::detail::rate_text(status.done, seconds),
          share,
          seconds < 1 ? "" : tgd::detail::clock_text(seconds)};
}

Activity::Activity(Terminal& terminal, std::string what, std::function<ActivityStatus()> status)
    : terminal_(terminal), what_(std::move(what)), status_(std::move(status)) {
  if (terminal_.flags().quiet) return;
  terminal_.progress({what_});
  ticker_ = tgd::detail::start_thread("the display of progress", [this] { tick(); });
}

Activity::~Activity() {
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  ended_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

void Activity::tick() {
  std::unique_lock lock(mutex_);
  const auto pause = terminal_.is_terminal() ? std::chrono::milliseconds(redraw_after) : std::chrono::milliseconds(log_after);
  while (!ended_.wait_for(lock, pause, [this] { return has_ended_; })) show();
}

void Activity::show() {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  terminal_.progress(activity_pieces(what_, status_(), seconds));
}

}  // namespace tgd::cli
