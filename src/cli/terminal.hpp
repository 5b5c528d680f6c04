// Terminal: what the program says. On a terminal one line shows the progress and is overwritten; elsewhere each message is a
// line of its own, so that a log reads well.
#pragma once

#include <string>

namespace tgd::cli {

class Terminal {
 public:
  /// Standard output as it is, with the environment's wishes (NO_COLOR, TERM=dumb).
  explicit Terminal(bool quiet);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// A line that stays. Quiet terminals show it, too.
  void line(const std::string& text);
  /// A line about what is going on.
  void note(const std::string& text);
  /// A line that the next one replaces on a terminal.
  void progress(const std::string& text);

  std::string bold(const std::string& text) const { return styled("1", text); }
  std::string good(const std::string& text) const { return styled("32", text); }
  std::string bad(const std::string& text) const { return styled("31", text); }

 private:
  std::string styled(const char* code, const std::string& text) const;
  void clear_progress();

  bool quiet_;
  bool is_terminal_;
  bool has_color_;
  bool shows_progress_ = false;
};

}  // namespace tgd::cli
