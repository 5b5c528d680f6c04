// The one line on a terminal that says how far something is: redrawn in place, never wider than the terminal, also when that
// has become narrower meanwhile. Private to the library and the program. Not thread-safe: its owner guards the stream that it
// writes to.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace tgd::detail {

/// 75 as "1:15", 3675 as "1:01:15".
std::string clock_text(double seconds);

/// "12/s", "1.5/s", "40/min", "3/h"; empty while nothing is known.
std::string rate_text(double count, double seconds);

/// In about how many seconds the rest is done, by what took `seconds` so far; negative: unknown.
double seconds_left(double done, double total, double seconds);

/// The pieces on one line of so many columns: the first of them in any case, cut where it has to be, then those that fit.
std::string fitted_line(std::span<const std::string> pieces, std::size_t columns);

class LiveLine {
 public:
  using Write = std::function<void(std::string_view)>;

  /// `columns` is asked each time: a window changes while it is looked at.
  LiveLine(Write write, std::function<std::size_t()> columns) : write_(std::move(write)), columns_(std::move(columns)) {}

  /// Most important piece first.
  void show(std::span<const std::string> pieces);
  /// Leaves an empty line for what else is to be written.
  void clear();

 private:
  std::string erasure() const;

  Write write_;
  std::function<std::size_t()> columns_;
  std::size_t shown_ = 0;  // columns of what is there
};

}  // namespace tgd::detail
