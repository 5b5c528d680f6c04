#include "optim/words.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <utility>

#include "core/text.hpp"

namespace tgd::optim::detail {

namespace {

constexpr std::uint64_t hash_seed = 14695981039346656037U;  // FNV-1a
constexpr std::uint64_t hash_factor = 1099511628211U;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Kana, ideographs and their extensions: lead bytes E3 to E9 and F0 with A0 behind it.
bool begins_ideograph(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  return (lead >= 0xE3 && lead <= 0xE9) || (lead == 0xF0 && text.size() > 1 && static_cast<unsigned char>(text[1]) >= 0xA0);
}

std::size_t end_of_character(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && tgd::detail::is_continuation(text[at])) ++at;
  return at;
}

/// Numbers for the words between white space, the same for the same word in both texts.
class Vocabulary {
 public:
  /// For texts of so many bytes: at most every second one begins a word, so that the table is never more than half full.
  explicit Vocabulary(std::size_t bytes) : table_(std::bit_ceil(bytes + 2)) {}

  std::vector<std::size_t> numbers(std::string_view text) {
    std::vector<std::size_t> numbers;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      while (at < text.size() && !is_space(text[at])) ++at;
      if (at > begin) numbers.push_back(number_of(text.substr(begin, at - begin)));
      while (at < text.size() && is_space(text[at])) ++at;
    }
    return numbers;
  }
  std::size_t size() const { return words_.size(); }

 private:
  struct Known {
    std::size_t hash;
    std::string_view word;
  };

  std::size_t number_of(std::string_view word) {
    const std::size_t hash = std::hash<std::string_view>()(word);
    std::size_t place = hash & (table_.size() - 1);
    for (; table_[place] != 0; place = (place + 1) & (table_.size() - 1)) {
      const Known& known = words_[table_[place] - 1];
      if (known.hash == hash && known.word == word) return table_[place] - 1;
    }
    words_.push_back({hash, word});
    table_[place] = static_cast<std::uint32_t>(words_.size());
    return words_.size() - 1;
  }

  std::vector<std::uint32_t> table_;  // open addressing: a word's number and 1; 0: free
  std::vector<Known> words_;
};

void drop_common_ends(std::vector<std::size_t>& a, std::vector<std::size_t>& b) {
  const auto [a_end, b_end] = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  a.erase(a_end.base(), a.end());
  b.erase(b_end.base(), b.end());
  const auto [a_begin, b_begin] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  a.erase(a.begin(), a_begin);
  b.erase(b.begin(), b_begin);
}

/// Where each word stands.
class Places {
 public:
  Places(const std::vector<std::size_t>& words, std::size_t vocabulary) : last_(vocabulary, nowhere), before_(words.size()) {
    for (std::size_t place = 0; place < words.size(); ++place) before_[place] = std::exchange(last_[words[place]], place);
  }

  template <class Visit>
  void each(std::size_t word, Visit visit) const {
    for (std::size_t place = last_[word]; place != nowhere; place = before_[place]) visit(place);
  }

 private:
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> last_;    // of each word
  std::vector<std::size_t> before_;  // the place before this one with the same word
};

/// 64 rows of a column of the table of edit distances, as differences between neighbours.
struct BitBlock {
  std::uint64_t plus = ~std::uint64_t{0};
  std::uint64_t minus = 0;

  /// Goes on to the next column. `step` is the difference that comes in at the top; returned is the one at row `last`.
  int advance(std::uint64_t equal, int step, unsigned last) {
    const std::uint64_t vertical = equal | minus;
    if (step < 0) equal |= 1;
    const std::uint64_t horizontal = (((equal & plus) + plus) ^ plus) | equal;
    std::uint64_t up = minus | ~(horizontal | plus);
    std::uint64_t down = plus & horizontal;
    const int out = static_cast<int>((up >> last) & 1) - static_cast<int>((down >> last) & 1);
    up = (up << 1) | (step > 0 ? 1 : 0);
    down = (down << 1) | (step < 0 ? 1 : 0);
    plus = down | ~(vertical | up);
    minus = up & vertical;
    return out;
  }
};

}  // namespace

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  words.reserve(text.size() / 6);
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word_byte(text[at])) {
      ++at;
      continue;
    }
    Word word{hash_seed, at, at};
    if (begins_ideograph(text.substr(at))) {
      word.end = end_of_character(text, at);
    } else {
      while (word.end < text.size() && is_word_byte(text[word.end]) && !begins_ideograph(text.substr(word.end))) ++word.end;
    }
    for (; at < word.end; ++at) word.hash = (word.hash ^ static_cast<unsigned char>(lower(text[at]))) * hash_factor;
    words.push_back(word);
  }
  return words;
}

// Bit-parallel: 64 rows of the table at a time. G. Myers, "A fast bit-vector algorithm for approximate string matching based on
// dynamic programming", 1999, in the form for the distance of whole texts by H. Hyyro, 2003.
std::size_t word_edit_distance(std::string_view before, std::string_view after) {
  Vocabulary vocabulary(before.size() + after.size());
  std::vector<std::size_t> rows = vocabulary.numbers(before);
  std::vector<std::size_t> columns = vocabulary.numbers(after);
  drop_common_ends(rows, columns);
  if (rows.empty() || columns.empty()) return rows.size() + columns.size();

  const Places places(rows, vocabulary.size());
  std::vector<BitBlock> blocks((rows.size() + 63) / 64);
  std::vector<std::uint64_t> equal(blocks.size());
  std::size_t distance = rows.size();
  for (const std::size_t word : columns) {
    places.each(word, [&](std::size_t row) { equal[row / 64] |= std::uint64_t{1} << (row % 64); });
    int step = 1;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const bool is_last = i + 1 == blocks.size();
      step = blocks[i].advance(equal[i], step, is_last ? static_cast<unsigned>((rows.size() - 1) % 64) : 63);
    }
    distance += static_cast<std::size_t>(step);
    places.each(word, [&](std::size_t row) { equal[row / 64] = 0; });
  }
  return distance;
}

/// A polynomial of the words' hashes: from one run to the next a word leaves and a word comes.
std::vector<std::uint64_t> WordRuns::runs_of(const std::vector<Word>& words) const {
  std::vector<std::uint64_t> runs;
  if (words.size() < length_) return runs;
  runs.reserve(words.size() - length_ + 1);
  std::uint64_t leaving_factor = 1;
  for (std::size_t i = 0; i < length_; ++i) leaving_factor *= hash_factor;
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    hash = hash * hash_factor + words[i].hash;
    if (i >= length_) hash -= words[i - length_].hash * leaving_factor;
    if (i + 1 >= length_) runs.push_back(hash);
  }
  return runs;
}

void WordRuns::add(std::string_view text) {
  ++texts_;
  for (const std::uint64_t run : runs_of(words_of(text))) {
    Seen& seen = added_[run];
    if (seen.last_text != texts_) ++seen.texts;
    seen.last_text = texts_;
  }
}

void WordRuns::drop_common() {
  std::erase_if(added_, [&](const auto& added) { return added.second.texts >= 3 && 2 * added.second.texts > texts_; });
}

std::optional<std::string_view> WordRuns::find(std::string_view text, std::span<const std::string> allowed) const {
  if (added_.empty()) return std::nullopt;
  std::unordered_set<std::uint64_t> allowed_runs;
  for (const std::string& other : allowed) {
    for (const std::uint64_t run : runs_of(words_of(other))) allowed_runs.insert(run);
  }
  return find_unless(text, allowed_runs);
}

std::optional<std::string_view> WordRuns::find_unless(std::string_view text,
                                                      const std::unordered_set<std::uint64_t>& allowed) const {
  const std::vector<Word> words = words_of(text);
  const std::vector<std::uint64_t> runs = runs_of(words);
  const auto counts = [&](std::uint64_t run) { return added_.contains(run) && !allowed.contains(run); };
  const auto first = std::find_if(runs.begin(), runs.end(), counts);
  if (first == runs.end()) return std::nullopt;
  const auto last = std::find_if_not(first, runs.end(), counts) - 1;
  const std::size_t begin = words[static_cast<std::size_t>(first - runs.begin())].begin;
  const std::size_t end = words[static_cast<std::size_t>(last - runs.begin()) + length_ - 1].end;
  return text.substr(begin, end - begin);
}

}  // namespace tgd::optim::detail
