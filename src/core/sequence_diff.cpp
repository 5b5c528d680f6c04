#include "core/sequence_diff.hpp"

#include <algorithm>
#include <cstdint>

namespace tgd::detail {

namespace {

using Pieces = std::span<const std::string_view>;

constexpr std::size_t most_cells = 4'000'000;

void add_all(std::vector<PieceChange>& changes, char mark, Pieces pieces) {
  for (const std::string_view piece : pieces) changes.push_back({mark, piece});
}

/// By dynamic programming.
void add_changes(std::vector<PieceChange>& changes, Pieces before, Pieces after) {
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

}  // namespace

std::vector<PieceChange> changes_between(Pieces before, Pieces after) {
  const auto shorter = static_cast<std::ptrdiff_t>(std::min(before.size(), after.size()));
  const auto head =
      static_cast<std::size_t>(std::mismatch(before.begin(), before.begin() + shorter, after.begin()).first - before.begin());
  const auto most_tail = shorter - static_cast<std::ptrdiff_t>(head);
  const auto tail = static_cast<std::size_t>(std::mismatch(before.rbegin(), before.rbegin() + most_tail, after.rbegin()).first -
                                             before.rbegin());
  const Pieces gone = before.subspan(head, before.size() - head - tail);
  const Pieces added = after.subspan(head, after.size() - head - tail);

  std::vector<PieceChange> changes;
  add_all(changes, ' ', before.first(head));
  if ((gone.size() + 1) * (added.size() + 1) <= most_cells) {
    add_changes(changes, gone, added);
  } else {
    add_all(changes, '-', gone);
    add_all(changes, '+', added);
  }
  add_all(changes, ' ', before.last(tail));
  return changes;
}

}  // namespace tgd::detail
