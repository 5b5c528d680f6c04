// What changed between two sequences of pieces of text, lines or words, by their longest common subsequence.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace tgd::detail {

/// A piece that both have (' '), or only the first ('-') or the second ('+').
struct PieceChange {
  char mark;
  std::string_view piece;
};

/// In the order of the text; of pieces that took each other's place, those that are gone come first. Where the parts that
/// differ are so large that finding what they share would take too long, all of them is replaced.
std::vector<PieceChange> changes_between(std::span<const std::string_view> before, std::span<const std::string_view> after);

}  // namespace tgd::detail
