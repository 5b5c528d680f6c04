#include <tgd/progress.hpp>

#include <condition_variable>
#include <mutex>
#include <ostream>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "core/start_thread.hpp"
#include "core/text.hpp"
#include "core/visible.hpp"

namespace tgd {

namespace {

/// 75 as "1:15", 3675 as "1:01:15".
std::string clock_text(double seconds) {
  const auto whole = static_cast<long>(seconds);
  const long hours = whole / 3600;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, whole / 60 % 60, whole % 60)
                   : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

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

}  // namespace

struct Progress::Impl {
  Impl(std::ostream& stream, const ProgressOptions& given) : out(stream), options(given) {}

  // ---- Texts ----

  std::string step_text() const {
    std::string text = fmt::format("epoch {}/{}  step {}", last.epoch, info.epochs, last.step_in_epoch);
    if (info.steps_in_epoch > 0) text += fmt::format("/{}", info.steps_in_epoch);
    text += fmt::format("  samples {}", last.samples_in_epoch);
    if (info.samples_in_epoch > 0) text += fmt::format("/{}", info.samples_in_epoch);
    if (seen > 0) text += fmt::format("  score {:.4g} (running {:.4g})", last.metrics.score, sum / static_cast<double>(seen));
    if (last.gate && last.step > 0) text += last.gate->accepted ? "  taken" : "  rejected";
    return text;
  }

  std::string run_text(const RunStatus& status) const {
    std::string text = fmt::format("  {}", clock_text(status.seconds));
    if (const auto left = remaining(status.seconds)) text += fmt::format(" (about {} left)", clock_text(*left));
    if (status.calls > 0 || status.calls_in_flight > 0) text += fmt::format("  {} calls", status.calls);
    if (status.calls_in_flight > 0) text += fmt::format(", {} in flight", status.calls_in_flight);
    if (status.calls > 0) text += "  " + (status.cost ? status.cost->text() : std::string("cost unknown"));
    return text;
  }

  /// From the steps of this session.
  std::optional<double> remaining(double seconds) const {
    const std::size_t steps = info.epochs * info.steps_in_epoch;
    const std::size_t done = last.step > info.steps_done ? last.step - info.steps_done : 0;
    if (done == 0 || steps <= last.step) return std::nullopt;
    return (seconds - began) / static_cast<double>(done) * static_cast<double>(steps - last.step);
  }

  // ---- Output, with the mutex held ----

  void clear_live() {
    if (std::exchange(shows_live, false)) out << "\r\033[K";
  }

  void show_live() {
    if (!is_running || options.quiet || !options.is_terminal) return;
    const std::string text = step_text() + run_text(info.status());
    clear_live();
    out << detail::first_characters(detail::visible(text), options.width - 1) << std::flush;
    shows_live = true;
  }

  void line(const std::string& text) {
    clear_live();
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
      clear_live();
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
  bool is_running = false;
  bool shows_live = false;
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
  impl_->is_running = true;
  if (!impl_->options.is_terminal || impl_->options.quiet) return;
  impl_->ticker = detail::start_thread("the display of progress", [impl = impl_.get()] { impl->tick(); });
}

void Progress::on_step(const StepReport& report) {
  const std::lock_guard lock(impl_->mutex);
  Impl& impl = *impl_;
  if (report.race) {
    if (!impl.options.quiet) impl.line(race_text(*report.race));
    return;
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
    impl.line(impl.step_text() + impl.run_text(impl.info.status()));
  }
}

void Progress::on_validation(const ValidationReport& report) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->options.quiet) return;
  const std::string when =
      report.step == 0 ? "before the first step" : fmt::format("epoch {}, after step {}", report.epoch, report.step);
  impl_->line(fmt::format("{}: validation {:.4g} over {} samples{}{}", when, report.metrics.score, report.metrics.samples,
                          report.metrics.failed > 0 ? fmt::format(", {} failed", report.metrics.failed) : "",
                          report.is_best && report.step > 0 ? " (best so far)" : ""));
}

void Progress::on_end(const FitResult* result) {
  impl_->stop();
  const std::lock_guard lock(impl_->mutex);
  if (result != nullptr && !impl_->options.quiet) {
    impl_->line(
        fmt::format("{} after {} steps:{}", result->reason, result->steps, impl_->run_text(impl_->info.status())));
  }
  impl_->info.status = nullptr;
}

void Progress::note(const std::string& text) {
  const std::lock_guard lock(impl_->mutex);
  impl_->line(text);
}

}  // namespace tgd
