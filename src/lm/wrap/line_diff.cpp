#include "lm/wrap/line_diff.hpp"

#include <algorithm>
#include <vector>

#include "core/one_line.hpp"
#include "core/sequence_diff.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd::lm::detail {

namespace {

using Lines = std::vector<std::string_view>;
using Change = tgd::detail::PieceChange;

constexpr std::size_t context = 2;
constexpr std::size_t longest_line = 160;

Lines split(std::string_view text) {
  Lines lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
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
  const std::string_view a = changes[at].piece;
  const std::string_view b = changes[neighbour].piece;
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
  const std::vector<Change> changes = tgd::detail::changes_between(split(before), split(after));
  std::string text;
  bool gap = false;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!is_near_change(changes, i)) {
      gap = true;
      continue;
    }
    if (gap) text += "  ...\n";
    gap = false;
    text.append({changes[i].mark, ' '}).append(shortened(changes[i].piece, first_difference(changes, i))).append("\n");
  }
  return tgd::detail::cut_middle(text, limit);
}

}  // namespace tgd::lm::detail
