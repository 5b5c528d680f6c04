// Terminal: what the program says. On a terminal one line shows the progress and is overwritten; elsewhere each message is a
// line of its own, so that a log reads well. With --json standard output gets the result as JSON and nothing else; what is said
// besides goes to standard error. What terminals would obey in texts of others is shown and does nothing. That something could
// not be written is told at the end (see standard_streams.hpp), and no reason to end a run. Thread-safety: note() may be called
// from any thread.
#pragma once

#include <cstddef>
#include <cstdio>
#include <functional>
#include <iosfwd>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/notice.hpp>

#include "core/json_text.hpp"
#include "core/live_line.hpp"
#include "task/document.hpp"

namespace tgd::cli {

using detail::json_text;

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
  /// What else writes there from now on, and says the notes between its own lines.
  void say_notes_by(std::function<void(const std::string&)> say);
  /// A line for those who want to know more.
  void detail(const std::string& text);
  /// Makes a line on standard error of what the library wants known; the same thing is said once. Only silent ones do not show
  /// it.
  OnNotice on_notice();
  /// The same for a text: quiet terminals show it, too.
  void warn(const std::string& text);
  /// A line that the next one replaces on a terminal: pieces, the most important first, of which those are shown that there is
  /// room for.
  void progress(const std::vector<std::string>& pieces);
  /// The result, for programs: printed with --json only.
  void document(const OrderedJson& json);

  /// Whether a result was printed since forget_document(): a program that fails says so on standard output only where it has
  /// not.
  static bool has_printed_document();
  static void forget_document();
  /// Something else stands on standard output: no document may.
  static void give_up_document();

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
  std::string shown(std::string_view text) const;
  std::string without_styles(std::string text) const;
  void write(std::FILE* stream, std::string_view text) const;
  void clear_progress();

  OutputFlags flags_;
  std::FILE* out_;
  bool is_terminal_;
  bool has_color_;
  std::string style_mark_;  // begins a style; no text of others can hold it
  std::mutex mutex_;        // of all that follows, and of what is written
  std::function<void(const std::string&)> say_note_;
  detail::LiveLine live_;
  bool shows_progress_ = false;
  std::set<std::string> warned_;
};

}  // namespace tgd::cli
