#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/visible.hpp"

namespace tgd::cli {

namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool is_dumb() {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) == "dumb";
}

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
      style_mark_(random_mark()) {}

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

void Terminal::note(const std::string& text) {
  if (flags_.quiet) return;
  std::unique_lock lock(mutex_);
  const auto say = say_note_;
  lock.unlock();
  say ? say(text) : print(text);
}

void Terminal::say_notes_by(std::function<void(const std::string&)> say) {
  const std::lock_guard lock(mutex_);
  say_note_ = std::move(say);
}

void Terminal::detail(const std::string& text) {
  if (flags_.verbose) note(text);
}

void Terminal::progress(const std::string& text) {
  if (!is_terminal_) return note(text);
  if (flags_.quiet) return;
  const std::lock_guard lock(mutex_);
  // A line that wraps could not be taken back.
  write(out_, fmt::format("\r\033[K{}", tgd::detail::first_characters(shown(text), width() - 1)));
  shows_progress_ = true;
}

void Terminal::document(const OrderedJson& json) {
  if (!flags_.json || flags_.silent) return;
  const std::lock_guard lock(mutex_);
  clear_progress();
  write(stdout, json_text(json, 2) + "\n");
}

void Terminal::print(const std::string& text) {
  const std::lock_guard lock(mutex_);
  clear_progress();
  write(out_, shown(text) + "\n");
}

OnNotice Terminal::on_notice() {
  return [this](const Notice& notice) { warn("note: " + notice.text); };
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

std::string Terminal::styled(const char* code, const std::string& text) const {
  return has_color_ ? fmt::format("{0}{1}m{2}{0}0m", style_mark_, code, text) : text;
}

void Terminal::clear_progress() {
  if (!shows_progress_) return;
  write(out_, "\r\033[K");
  shows_progress_ = false;
}

}  // namespace tgd::cli
