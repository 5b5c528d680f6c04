#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/core.h>

#include "core/text.hpp"

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

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

}  // namespace

Terminal::Terminal(bool quiet)
    : quiet_(quiet),
      is_terminal_(::isatty(STDOUT_FILENO) == 1 && !is_dumb()),
      has_color_(is_terminal_ && !is_set("NO_COLOR")) {}

Terminal::~Terminal() { clear_progress(); }

void Terminal::line(const std::string& text) {
  clear_progress();
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

void Terminal::note(const std::string& text) {
  if (!quiet_) line(text);
}

void Terminal::progress(const std::string& text) {
  if (!is_terminal_) return note(text);
  if (quiet_) return;
  // A line that wraps could not be taken back.
  fmt::print("\r\033[K{}", detail::first_characters(text, terminal_width() - 1));
  std::fflush(stdout);
  shows_progress_ = true;
}

std::string Terminal::styled(const char* code, const std::string& text) const {
  return has_color_ ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

void Terminal::clear_progress() {
  if (!shows_progress_) return;
  fmt::print("\r\033[K");
  std::fflush(stdout);
  shows_progress_ = false;
}

}  // namespace tgd::cli
