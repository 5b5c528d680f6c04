// Where JSON begins and ends in a text that others wrote, before any of it is parsed.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace tgd::detail {

/// Deeper JSON is refused where it is parsed, compared, copied or written back, most of which recurse: the stack is the bound.
constexpr int deepest_nesting = 500;

/// Where the JSON value that begins at `begin` with a bracket ends; nothing where it does not, or nests deeper than that.
std::optional<std::size_t> end_of_brackets(std::string_view text, std::size_t begin);

/// The most brackets that are open at once; those in quoted texts do not count.
int nesting(std::string_view json);

/// The first bracket that opens more than the deepest nesting. Those in quoted texts and, where they are allowed, in comments do
/// not count.
std::optional<std::size_t> too_deep_at(std::string_view json, bool has_comments);

/// The parts of a text between brackets, each of them perhaps JSON. All of them together are found in linear time, whatever the
/// text is.
class BracketedParts {
 public:
  /// A part begins with one of `openers`.
  BracketedParts(std::string_view text, std::string_view openers);

  /// The next part, which may stand inside the one before; empty where its bracket is not closed, or what it holds nests too
  /// deeply.
  std::optional<std::string_view> next();
  /// The next part begins behind the last one.
  void skip();

 private:
  void match(std::size_t begin);

  std::string_view text_;
  std::string_view openers_;
  std::size_t next_ = 0;
  std::size_t end_of_last_ = 0;
  std::size_t work_left_;
  std::vector<std::size_t> ends_;  // of the part that begins there: 0 is not known, 1 is none
};

}  // namespace tgd::detail
