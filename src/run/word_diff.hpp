// What changed between two texts, word by word.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tgd::cli {

/// A stretch of text that both have, or only one.
struct WordChange {
  enum class Kind { same, gone, added };
  Kind kind = Kind::same;
  std::string text = {};

  friend bool operator==(const WordChange&, const WordChange&) = default;
};

/// One after the other these are both texts: those that are not added, the first; those that are not gone, the second. A blank
/// between two changes belongs to them, so that a reader sees what was rewritten as one.
std::vector<WordChange> word_diff(std::string_view before, std::string_view after);

/// The words, by white space, in the stretches of a kind.
std::size_t count_words(const std::vector<WordChange>& changes, WordChange::Kind kind);

}  // namespace tgd::cli
