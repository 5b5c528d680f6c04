#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cli/wording.hpp"
#include "core/text.hpp"
#include "core/visible.hpp"

namespace tgd::cli {

namespace {

/// Lines of a log are as long as they are.
constexpr std::size_t unlimited_width = 100'000;

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool is_dumb() {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) == "dumb";
}

std::atomic<bool> document_printed = false;

std::string random_mark() {
  std::random_device random;
  return fmt::format("\033{:08x}{:08x}", random(), random());
}

}  // namespace

Terminal::Terminal(const OutputFlags& flags)
    : flags_(flags),
      out_(flags.json ? stderr : stdout),
      is_terminal_(::isatty(::fileno(out_)) == 1 && !is_dumb()),
      has_color_(is_terminal_ && !is_set("NO_COLOR")),
      style_mark_(random_mark()),
      live_([this](std::string_view text) { write(out_, text); }, [this] { return width(); }) {}

Terminal::~Terminal() {
  const std::lock_guard lock(mutex_);
  clear_progress();
}

std::ostream& Terminal::stream() const { return flags_.json ? std::cerr : std::cout; }

std::size_t Terminal::width() const {
  constexpr std::size_t least = 20;
  winsize size{};
  return ::ioctl(::fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col >= least ? size.ws_col : 80;
}

void Terminal::line(const std::string& text) {
  if (!flags_.json && !flags_.silent) print(text);
}

void Terminal::note(const std::string& given) {
  if (flags_.quiet) return;
  const std::string text = in_program_words(given);
  std::unique_lock lock(mutex_);
  // Whoever else writes there does not know of a line of this object's.
  const auto say = shows_progress_ ? nullptr : say_note_;
  lock.unlock();
  say ? say(without_styles(text)) : print(text);
}

void Terminal::say_notes_by(std::function<void(const std::string&)> say) {
  const std::lock_guard lock(mutex_);
  say_note_ = std::move(say);
}

void Terminal::detail(const std::string& text) {
  if (flags_.verbose) note(text);
}

void Terminal::progress(const std::vector<std::string>& pieces) {
  if (flags_.quiet || pieces.empty()) return;
  const std::lock_guard lock(mutex_);
  if (!is_terminal_) return write(out_, shown(detail::fitted_line(pieces, unlimited_width)) + "\n");
  live_.show(pieces);
  shows_progress_ = true;
}

void Terminal::document(const OrderedJson& json) {
  if (!flags_.json || flags_.silent) return;
  const std::lock_guard lock(mutex_);
  clear_progress();
  write(stdout, json_text(json, 2) + "\n");
  document_printed = true;
}

bool Terminal::has_printed_document() { return document_printed; }
void Terminal::forget_document() { document_printed = false; }
void Terminal::give_up_document() { document_printed = true; }

void Terminal::print(const std::string& text) {
  const std::lock_guard lock(mutex_);
  clear_progress();
  write(out_, shown(text) + "\n");
}

OnNotice Terminal::on_notice() {
  return [this](const Notice& notice) { warn("note: " + in_program_words(notice.text)); };
}

void Terminal::warn(const std::string& text) {
  if (flags_.silent) return;
  std::unique_lock lock(mutex_);
  if (!warned_.insert(text).second) return;
  const auto say = out_ == stderr ? say_note_ : nullptr;
  if (!say) {
    clear_progress();
    return write(stderr, shown(text) + "\n");
  }
  lock.unlock();
  say(text);
}

void Terminal::write(std::FILE* stream, std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

/// With the styles that styled() has marked, and nothing else that a terminal obeys.
std::string Terminal::shown(std::string_view text) const {
  std::size_t at = text.find(style_mark_);
  std::string result = detail::visible(text.substr(0, at));
  while (at != text.npos) {
    text.remove_prefix(at + style_mark_.size());
    const std::size_t end = text.find('m') + 1;
    at = text.find(style_mark_);
    result.append("\033[").append(text.substr(0, end)).append(detail::visible(text.substr(end, at - end)));
  }
  return result;
}

std::string Terminal::without_styles(std::string text) const {
  for (std::size_t at = text.find(style_mark_); at != text.npos; at = text.find(style_mark_, at))
    text.erase(at, text.find('m', at) + 1 - at);
  return text;
}

std::string Terminal::styled(const char* code, const std::string& text) const {
  return has_color_ ? fmt::format("{0}{1}m{2}{0}0m", style_mark_, code, text) : text;
}

void Terminal::clear_progress() {
  live_.clear();
  shows_progress_ = false;
}

}  // namespace tgd::cli
