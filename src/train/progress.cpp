#include <tgd/progress.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <ostream>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/counted.hpp"
#include "core/live_line.hpp"
#include "core/start_thread.hpp"
#include "core/text.hpp"
#include "core/visible.hpp"

namespace tgd {

namespace {

/// "first proposals: form 0.62 over 8 samples, 16 examples 0.78 over 60 (taken)"
std::string race_text(const RaceReport& race) {
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < race.entries.size(); ++i) {
    const RaceReport::Entry& entry = race.entries[i];
    if (entry.samples == 0) continue;
    const char* outcome = race.best != i ? "" : race.accepted ? " (taken)" : " (not better)";
    entries.push_back(fmt::format("{} {:.4g} over {}{}", entry.name, entry.score, entry.samples, outcome));
  }
  return "first proposals: " + detail::join(entries, ", ");
}

/// "chain of 3 steps: 0.62, then 0.71 over 16 samples (taken)"
std::string race_text(const ChainRace& race) {
  const std::string chain = fmt::format("chain of {}: ", detail::counted(race.steps, "step"));
  if (race.samples == 0) return chain + "no calls are left to try it on the validation part (taken back)";
  return chain + fmt::format("{:.4g}, then {:.4g} over {} ({})", race.incumbent, race.head,
                             detail::counted(race.samples, "sample"), race.accepted ? "taken" : "not better: taken back");
}

std::string confirmation_text(const Confirmation& found) {
  const char* kept = found.kept ? "the new values are kept" : "the first values are kept";
  if (found.samples == 0) return fmt::format("no calls are left to confirm the new values: {}", kept);
  const std::string scores = fmt::format("{:.4g}, then {:.4g} over {} that no choice has seen (p = {:.2g})", found.first,
                                         found.last, detail::counted(found.samples, "sample"), found.p_value);
  return found.confirmed ? "confirmed: " + scores : fmt::format("not shown to be better: {}; {}", scores, kept);
}

/// What of a search is told besides its steps.
std::vector<std::string> search_texts(const SearchReport& search) {
  std::vector<std::string> texts;
  if (search.race) texts.push_back(race_text(*search.race));
  if (search.confirmation) texts.push_back(confirmation_text(*search.confirmation));
  return texts;
}

}  // namespace

struct Progress::Impl {
  Impl(std::ostream& stream, const ProgressOptions& given)
      : out(stream),
        options(given),
        live([this](std::string_view text) { out << text << std::flush; },
             [this] { return options.current_width ? options.current_width() : options.width; }) {}

  // ---- Texts ----

  /// Races and confirmations count as steps of a run, which only they themselves announce.
  std::size_t steps() const {
    const std::size_t batches = info.epochs * info.steps_in_epoch;
    return batches == 0 ? 0 : std::max(batches + without_batch, last.step);
  }

  std::string step_text() const {
    std::string text = fmt::format("epoch {}/{}  step {}", std::max<std::size_t>(last.epoch, 1), info.epochs, last.step);
    if (steps() > 0) text += fmt::format("/{}", steps());
    return text;
  }

  std::string samples_text() const {
    std::string text = fmt::format("samples {}", last.samples_in_epoch);
    if (info.samples_in_epoch > 0) text += fmt::format("/{}", info.samples_in_epoch);
    return text;
  }

  std::string score_text() const {
    if (seen == 0) return {};
    std::string text = fmt::format("score {:.4g} (running {:.4g})", last.metrics.score, sum / static_cast<double>(seen));
    if (last.gate && last.step > 0) text += last.gate->accepted ? "  taken" : "  rejected";
    if (last.search) text += last.search->took_one() ? "  taken" : "  none taken";
    return text;
  }

  static std::string cost_text(const RunStatus& status) {
    return status.calls > 0 ? (status.cost ? status.cost->text() : std::string("cost unknown")) : std::string();
  }

  static std::string flight_text(const RunStatus& status) {
    return status.calls_in_flight > 0 ? fmt::format("{} in flight", status.calls_in_flight) : std::string();
  }

  static std::string calls_text(const RunStatus& status) {
    return status.calls > 0 || status.calls_in_flight > 0 ? detail::counted(status.calls, "call") : std::string();
  }

  /// From the steps of this session.
  double steps_of_session() const { return last.step > info.steps_done ? static_cast<double>(last.step - info.steps_done) : 0; }

  std::string left_text(const RunStatus& status) const {
    const double total = steps() > info.steps_done ? static_cast<double>(steps() - info.steps_done) : 0;
    const double left = detail::seconds_left(steps_of_session(), total, status.seconds - began);
    return left < 0 ? std::string() : fmt::format("about {} left", detail::clock_text(left));
  }

  std::string pace_text(const RunStatus& status) const {
    const std::string rate = detail::rate_text(steps_of_session(), status.seconds - began);
    return rate.empty() ? rate : "steps " + rate;
  }

  /// The most important first.
  std::vector<std::string> pieces() const {
    const RunStatus status = info.status();
    const std::string what = is_validating ? fmt::format("validating after step {}", last.step) : step_text();
    return {what,
            left_text(status),
            cost_text(status),
            flight_text(status),
            is_validating ? std::string() : score_text(),
            detail::clock_text(status.seconds),
            pace_text(status),
            calls_text(status),
            samples_text()};
  }

  std::string run_text(const RunStatus& status) const {
    std::string text = "  " + detail::clock_text(status.seconds);
    if (const std::string left = left_text(status); !left.empty()) text += fmt::format(" ({})", left);
    for (const std::string& piece : {calls_text(status), cost_text(status)}) {
      if (!piece.empty()) text += "  " + piece;
    }
    return text;
  }

  std::string whole_text() const {
    const std::string score = score_text();
    return step_text() + "  " + samples_text() + (score.empty() ? "" : "  " + score) + run_text(info.status());
  }

  // ---- Output, with the mutex held ----

  void show_live() {
    if (!is_running || options.quiet || !options.is_terminal) return;
    live.show(pieces());
  }

  void line(const std::string& text) {
    live.clear();
    out << detail::visible(text) << '\n' << std::flush;
    show_live();
  }

  void tick() {
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, std::chrono::milliseconds(200), [this] { return !is_running; })) show_live();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      is_running = false;
      live.clear();
      out << std::flush;
    }
    wake.notify_all();
    if (ticker.joinable()) ticker.join();
  }

  std::ostream& out;
  ProgressOptions options;
  std::mutex mutex;
  std::condition_variable wake;
  std::thread ticker;
  RunInfo info;
  StepReport last;
  double began = 0;  // the run's seconds when this session began
  double sum = 0;    // of the scores of this epoch
  std::size_t seen = 0;
  std::size_t without_batch = 0;
  bool is_running = false;
  bool is_validating = false;
  detail::LiveLine live;
};

Progress::Progress(std::ostream& out, const ProgressOptions& options) : impl_(std::make_unique<Impl>(out, options)) {
  if (options.width < 20)
    throw ValueError(fmt::format("ProgressOptions::width is {}; it has to be at least 20", options.width));
}

Progress::~Progress() { impl_->stop(); }

void Progress::on_start(const RunInfo& info) {
  impl_->stop();
  const std::lock_guard lock(impl_->mutex);
  impl_->info = info;
  impl_->last = {};
  impl_->last.step = info.steps_done;
  impl_->began = info.status().seconds;
  impl_->is_validating = false;
  impl_->is_running = true;
  if (!impl_->options.is_terminal || impl_->options.quiet) return;
  impl_->ticker = detail::start_thread("the display of progress", [impl = impl_.get()] { impl->tick(); });
}

void Progress::on_step(const StepReport& report) {
  const std::lock_guard lock(impl_->mutex);
  Impl& impl = *impl_;
  if (report.race) {
    ++impl.without_batch;
    if (!impl.options.quiet) impl.line(race_text(*report.race));
    return;
  }
  const std::vector<std::string> found = report.search ? search_texts(*report.search) : std::vector<std::string>();
  const auto tell = [&] {
    for (const std::string& text : found) {
      if (!impl.options.quiet) impl.line(text);
    }
  };
  if (report.search && report.search->step == 0) {  // no batch
    ++impl.without_batch;
    return tell();
  }
  if (report.epoch != impl.last.epoch) {
    impl.sum = 0;
    impl.seen = 0;
  }
  impl.last = report;
  impl.sum += report.metrics.score * static_cast<double>(report.metrics.samples);
  impl.seen += report.metrics.samples;
  if (impl.options.quiet) return;
  if (impl.options.is_terminal) {
    impl.show_live();
  } else {
    impl.line(impl.whole_text());
  }
  tell();
}

void Progress::on_validation_start(const ValidationInfo&) {
  const std::lock_guard lock(impl_->mutex);
  impl_->is_validating = true;
  impl_->show_live();
}

void Progress::on_validation(const ValidationReport& report) {
  const std::lock_guard lock(impl_->mutex);
  impl_->is_validating = false;
  if (impl_->options.quiet) return;
  if (report.step == 0 && impl_->last.step > 0) return;  // a confirmation has told that the first values are kept
  const std::string when =
      report.step == 0 ? "before the first step" : fmt::format("epoch {}, after step {}", report.epoch, report.step);
  impl_->line(fmt::format("{}: validation {:.4g} over {}{}{}", when, report.metrics.score,
                          detail::counted(report.metrics.samples, "sample"),
                          report.metrics.failed > 0 ? fmt::format(", {} failed", report.metrics.failed) : "",
                          report.is_best && report.step > 0 ? " (best so far)" : ""));
}

void Progress::on_end(const FitResult* result) {
  impl_->stop();
  const std::lock_guard lock(impl_->mutex);
  if (result != nullptr && !impl_->options.quiet) {
    impl_->line(fmt::format("{} after {}:{}", result->reason, detail::counted(result->steps, "step"),
                            impl_->run_text(impl_->info.status())));
  }
  impl_->info.status = nullptr;
}

void Progress::note(const std::string& text) {
  const std::lock_guard lock(impl_->mutex);
  impl_->line(text);
}

}  // namespace tgd
