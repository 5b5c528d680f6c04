#include "lm/wrap/line_diff.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/one_line.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd::lm::detail {

namespace {

using Lines = std::vector<std::string_view>;

constexpr std::size_t context = 2;
constexpr std::size_t longest_line = 160;
/// Larger middle parts are shown as replaced: finding what they share would take too long.
constexpr std::size_t most_cells = 1'000'000;

struct Change {
  char mark;  // ' ', '-' or '+'
  std::string_view line;
};

Lines split(std::string_view text) {
  Lines lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// Longest common subsequence by dynamic programming.
void add_changes(std::vector<Change>& changes, const Lines& before, const Lines& after) {
  const std::size_t width = after.size() + 1;
  std::vector<std::uint32_t> common((before.size() + 1) * width, 0);
  for (std::size_t i = before.size(); i-- > 0;) {
    for (std::size_t j = after.size(); j-- > 0;) {
      const std::uint32_t skip = std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
      common[i * width + j] = before[i] == after[j] ? common[(i + 1) * width + j + 1] + 1 : skip;
    }
  }
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      changes.push_back({' ', before[i]});
      ++i;
      ++j;
    } else if (j == after.size() || (i < before.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      changes.push_back({'-', before[i++]});
    } else {
      changes.push_back({'+', after[j++]});
    }
  }
}

void add_replaced(std::vector<Change>& changes, const Lines& before, const Lines& after) {
  for (const std::string_view line : before) changes.push_back({'-', line});
  for (const std::string_view line : after) changes.push_back({'+', line});
}

std::vector<Change> changes_between(const Lines& before, const Lines& after) {
  const auto shorter = static_cast<std::ptrdiff_t>(std::min(before.size(), after.size()));
  const auto head = std::mismatch(before.begin(), before.begin() + shorter, after.begin()).first - before.begin();
  const auto tail = std::mismatch(before.rbegin(), before.rbegin() + (shorter - head), after.rbegin()).first - before.rbegin();
  const Lines middle_before(before.begin() + head, before.end() - tail);
  const Lines middle_after(after.begin() + head, after.end() - tail);

  std::vector<Change> changes;
  for (auto line = before.begin(); line != before.begin() + head; ++line) changes.push_back({' ', *line});
  const bool is_small = (middle_before.size() + 1) * (middle_after.size() + 1) <= most_cells;
  (is_small ? add_changes : add_replaced)(changes, middle_before, middle_after);
  for (auto line = before.end() - tail; line != before.end(); ++line) changes.push_back({' ', *line});
  return changes;
}

bool is_near_change(const std::vector<Change>& changes, std::size_t at) {
  const std::size_t begin = at < context ? 0 : at - context;
  const std::size_t end = std::min(changes.size(), at + context + 1);
  return std::any_of(changes.begin() + static_cast<std::ptrdiff_t>(begin), changes.begin() + static_cast<std::ptrdiff_t>(end),
                     [](const Change& change) { return change.mark != ' '; });
}

/// Where the line begins to differ from its neighbour of the other kind.
std::size_t first_difference(const std::vector<Change>& changes, std::size_t at) {
  const char other = changes[at].mark == '-' ? '+' : '-';
  const std::size_t neighbour = other == '+' ? at + 1 : at - 1;
  if (changes[at].mark == ' ' || neighbour >= changes.size() || changes[neighbour].mark != other) return 0;
  const std::string_view a = changes[at].line;
  const std::string_view b = changes[neighbour].line;
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

std::string shortened(std::string_view line, std::size_t difference) {
  if (line.size() <= longest_line) return tgd::detail::valid_utf8(line);
  std::size_t begin = std::min(difference - std::min(difference, longest_line / 2), line.size() - longest_line);
  while (begin > 0 && tgd::detail::is_continuation(line[begin])) --begin;
  return (begin > 0 ? "..." : "") + tgd::detail::one_line(line.substr(begin), longest_line);
}

}  // namespace

std::string line_diff(std::string_view before, std::string_view after, std::size_t limit) {
  const std::vector<Change> changes = changes_between(split(before), split(after));
  std::string text;
  bool gap = false;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!is_near_change(changes, i)) {
      gap = true;
      continue;
    }
    if (gap) text += "  ...\n";
    gap = false;
    text.append({changes[i].mark, ' '}).append(shortened(changes[i].line, first_difference(changes, i))).append("\n");
  }
  return tgd::detail::cut_middle(text, limit);
}

}  // namespace tgd::lm::detail
