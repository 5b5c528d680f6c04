#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
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

}  // namespace

Terminal::Terminal(const OutputFlags& flags)
    : flags_(flags),
      out_(flags.json ? stderr : stdout),
      is_terminal_(::isatty(::fileno(out_)) == 1 && !is_dumb()),
      has_color_(is_terminal_ && !is_set("NO_COLOR")) {}

Terminal::~Terminal() { clear_progress(); }

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
  if (!flags_.quiet) print(text);
}

void Terminal::detail(const std::string& text) {
  if (flags_.verbose) note(text);
}

void Terminal::progress(const std::string& text) {
  if (!is_terminal_) return note(text);
  if (flags_.quiet) return;
  // A line that wraps could not be taken back.
  fmt::print(out_, "\r\033[K{}", tgd::detail::first_characters(text, width() - 1));
  std::fflush(out_);
  shows_progress_ = true;
}

void Terminal::document(const OrderedJson& json) {
  if (!flags_.json || flags_.silent) return;
  clear_progress();
  fmt::print("{}\n", json.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
  std::fflush(stdout);
}

void Terminal::print(const std::string& text) {
  clear_progress();
  fmt::print(out_, "{}\n", text);
  std::fflush(out_);
}

std::string Terminal::styled(const char* code, const std::string& text) const {
  return has_color_ ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

void Terminal::clear_progress() {
  if (!shows_progress_) return;
  fmt::print(out_, "\r\033[K");
  std::fflush(out_);
  shows_progress_ = false;
}

}  // namespace tgd::cli
