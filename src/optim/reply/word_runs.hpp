// Words of texts: how many of them an edit changed, and which runs of them texts share. Private to the library.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace tgd::optim::detail {

struct Word {
  std::uint64_t hash;  ///< equal for words that differ in their spelling only: see core/fold.hpp
  std::size_t begin;   ///< position in bytes
  std::size_t end;
};

/// Runs of letters and digits, and of other characters that are no punctuation; Chinese and Japanese characters are words of their own.
std::vector<Word> words_of(std::string_view text);

/// How many words, separated by white space, have to be inserted, deleted or replaced to make another text of this one. Words are
/// told apart by 64 bits of hash.
class WordDistance {
 public:
  explicit WordDistance(std::string_view before);
  std::size_t to(std::string_view after) const;

 private:
  std::vector<std::uint64_t> words_;
};

/// Runs of a fixed number of words.
class WordRuns {
 public:
  /// `length` is not 0.
  explicit WordRuns(std::size_t length) : length_(length) {}

  /// A text whose runs are looked for.
  void add(std::string_view text);
  bool empty() const noexcept { return added_.empty(); }
  /// Takes out the runs that more than half of the added texts have, and at least three of them.
  void drop_common();

  /// The first run of `text` that was added, as `text` spells it and as long as it goes on. Runs of the `allowed` texts do not
  /// count.
  std::optional<std::string_view> find(std::string_view text, std::span<const std::string> allowed = {}) const;

 private:
  struct Seen {
    std::size_t last_text = 0;
    std::size_t texts = 0;
  };
  std::vector<std::uint64_t> runs_of(const std::vector<Word>& words) const;
  std::optional<std::string_view> find_unless(std::string_view text, const std::unordered_set<std::uint64_t>& allowed) const;

  static std::size_t bit_of(std::uint64_t run) { return run >> 49U; }

  std::size_t length_;
  std::size_t texts_ = 0;
  /// Of the added runs: nearly all others are told from them without a look into the map.
  std::bitset<std::size_t{1} << 15U> bits_;
  std::unordered_map<std::uint64_t, Seen> added_;
};

}  // namespace tgd::optim::detail
