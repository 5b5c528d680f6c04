#include "optim/words.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "core/text.hpp"

namespace tgd::optim::detail {

namespace {

constexpr std::uint64_t hash_seed = 14695981039346656037U;  // FNV-1a
constexpr std::uint64_t hash_factor = 1099511628211U;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// ASCII letters in lower case, digits, and bytes above ASCII; 0 for what is in no word.
constexpr std::array<unsigned char, 256> folded_bytes = [] {
  std::array<unsigned char, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
    table[c] = static_cast<unsigned char>(is_upper ? c - 'A' + 'a' : is_kept ? c : 0);
  }
  return table;
}();

unsigned char folded(char c) { return folded_bytes[static_cast<unsigned char>(c)]; }

/// Kana, ideographs and their extensions: lead bytes E3 to E9 and F0 with A0 behind it.
bool begins_ideograph(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0xE3) return false;
  return lead <= 0xE9 || (lead == 0xF0 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0);
}

std::size_t end_of_character(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && tgd::detail::is_continuation(text[at])) ++at;
  return at;
}

template <class Visit>
void each_word(std::string_view text, const Visit& visit) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    while (at < text.size() && !is_space(text[at])) ++at;
    if (at > begin) visit(text.substr(begin, at - begin));
    while (at < text.size() && is_space(text[at])) ++at;
  }
}

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
    if (folded(text[at]) == 0) {
      ++at;
      continue;
    }
    Word word{hash_seed, at, at};
    const auto take = [&] { word.hash = (word.hash ^ folded(text[at++])) * hash_factor; };
    if (begins_ideograph(text, at)) {
      for (word.end = end_of_character(text, at); at < word.end;) take();
    } else {
      while (at < text.size() && folded(text[at]) != 0 && !begins_ideograph(text, at)) take();
      word.end = at;
    }
    words.push_back(word);
  }
  return words;
}

WordDistance::WordDistance(std::string_view before) {
  std::size_t count = 0;
  each_word(before, [&](std::string_view) { ++count; });
  table_.resize(std::bit_ceil(2 * count + 2));  // never more than half full
  rows_.reserve(count);
  earlier_.reserve(count);
  each_word(before, [&](std::string_view word) {
    const std::size_t hash = std::hash<std::string_view>()(word);
    const std::size_t place = place_of(word, hash);
    if (table_[place] == 0) {
      words_.push_back({hash, word, nowhere});
      table_[place] = static_cast<std::uint32_t>(words_.size());
    }
    Known& known = words_[table_[place] - 1];
    earlier_.push_back(known.last_row);
    known.last_row = rows_.size();
    rows_.push_back(table_[place]);
  });
}

std::size_t WordDistance::place_of(std::string_view word, std::size_t hash) const {
  std::size_t place = hash & (table_.size() - 1);
  for (; table_[place] != 0; place = (place + 1) & (table_.size() - 1)) {
    const Known& known = words_[table_[place] - 1];
    if (known.hash == hash && known.word == word) break;
  }
  return place;
}

// Bit-parallel: 64 rows of the table at a time. G. Myers, "A fast bit-vector algorithm for approximate string matching based on
// dynamic programming", 1999, in the form for the distance of whole texts by H. Hyyro, 2003.
std::size_t WordDistance::to(std::string_view after) const {
  std::vector<std::uint32_t> columns;
  each_word(after, [&](std::string_view word) { columns.push_back(table_[place_of(word, std::hash<std::string_view>()(word))]); });
  const auto common_end = std::mismatch(rows_.rbegin(), rows_.rend(), columns.rbegin(), columns.rend());
  const auto end = common_end.first.base();
  columns.erase(common_end.second.base(), columns.end());
  const auto common_begin = std::mismatch(rows_.begin(), end, columns.begin(), columns.end());
  columns.erase(columns.begin(), common_begin.second);
  const auto first = static_cast<std::size_t>(common_begin.first - rows_.begin());
  const auto count = static_cast<std::size_t>(end - common_begin.first);
  if (count == 0 || columns.empty()) return count + columns.size();

  std::vector<BitBlock> blocks((count + 63) / 64);
  std::vector<std::uint64_t> equal(blocks.size());
  const auto each_row = [&](std::uint32_t number, const auto& visit) {
    if (number == 0) return;
    for (std::size_t row = words_[number - 1].last_row; row != nowhere && row >= first; row = earlier_[row]) {
      if (row < first + count) visit(row - first);
    }
  };
  std::size_t distance = count;
  for (const std::uint32_t number : columns) {
    each_row(number, [&](std::size_t row) { equal[row / 64] |= std::uint64_t{1} << (row % 64); });
    int step = 1;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const bool is_last = i + 1 == blocks.size();
      step = blocks[i].advance(equal[i], step, is_last ? static_cast<unsigned>((count - 1) % 64) : 63);
    }
    distance += static_cast<std::size_t>(step);
    each_row(number, [&](std::size_t row) { equal[row / 64] = 0; });
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

// What is allowed hardly ever matters: it is looked at only when something was found.
std::optional<std::string_view> WordRuns::find(std::string_view text, std::span<const std::string> allowed) const {
  const auto found = added_.empty() ? std::nullopt : find_unless(text, {});
  if (!found || allowed.empty()) return found;
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
