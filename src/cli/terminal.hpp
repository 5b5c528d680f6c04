// Terminal: what the program says. On a terminal one line shows the progress and is overwritten; elsewhere each message is a
// line of its own, so that a log reads well. With --json standard output gets the result as JSON and nothing else; what is said
// besides goes to standard error.
#pragma once

#include <cstddef>
#include <cstdio>
#include <iosfwd>
#include <string>

#include "cli/task_document.hpp"

namespace tgd::cli {

/// How much is said, and to whom.
struct OutputFlags {
  bool quiet = false;
  bool verbose = false;
  bool json = false;
  bool silent = false;  ///< nothing at all: another command runs this one and says itself what came of it
};

class Terminal {
 public:
  /// The streams as they are, with the environment's wishes (NO_COLOR, TERM=dumb).
  explicit Terminal(const OutputFlags& flags);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// A line of the result, for people: quiet terminals show it, too; with --json it is left out.
  void line(const std::string& text);
  /// A line about what is going on.
  void note(const std::string& text);
  /// A line for those who want to know more.
  void detail(const std::string& text);
  /// A line that the next one replaces on a terminal.
  void progress(const std::string& text);
  /// The result, for programs: printed with --json only.
  void document(const OrderedJson& json);

  bool is_json() const { return flags_.json; }
  const OutputFlags& flags() const { return flags_; }
  /// Where people's lines go, for others who write there.
  std::ostream& stream() const;
  bool is_terminal() const { return is_terminal_; }
  std::size_t width() const;
  std::string bold(const std::string& text) const { return styled("1", text); }
  std::string good(const std::string& text) const { return styled("32", text); }
  std::string bad(const std::string& text) const { return styled("31", text); }

 private:
  void print(const std::string& text);
  std::string styled(const char* code, const std::string& text) const;
  void clear_progress();

  OutputFlags flags_;
  std::FILE* out_;
  bool is_terminal_;
  bool has_color_;
  bool shows_progress_ = false;
};

}  // namespace tgd::cli
