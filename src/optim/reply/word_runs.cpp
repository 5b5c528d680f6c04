#include "optim/reply/word_runs.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "core/characters.hpp"
#include "core/fold.hpp"
#include "core/utf8.hpp"

namespace tgd::optim::detail {

namespace {

constexpr std::uint64_t hash_seed = 14695981039346656037U;  // FNV-1a
constexpr std::uint64_t hash_factor = 1099511628211U;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// ASCII letters in lower case, and digits; 0 for all other bytes.
constexpr std::array<unsigned char, 256> folded_ascii = [] {
  std::array<unsigned char, 256> table{};
  for (unsigned c = 0; c < 128; ++c) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    table[c] = static_cast<unsigned char>(is_upper ? c - 'A' + 'a' : is_kept ? c : 0);
  }
  return table;
}();

unsigned char ascii_letter(char c) { return folded_ascii[static_cast<unsigned char>(c)]; }

/// A character that is not ASCII: what it is to words, and where it ends.
struct Character {
  enum class Kind { gap, left_out, letter, ideograph };
  Kind kind;
  char32_t code;
  std::size_t end;
};

Character character_at(std::string_view text, std::size_t at) {
  using Kind = Character::Kind;
  const std::size_t length = tgd::detail::character_length(text.substr(at));
  if (length == 0) return {Kind::letter, static_cast<unsigned char>(text[at]), at + 1};
  const char32_t code = tgd::detail::folded(tgd::detail::code_of(text.substr(at, length)));
  const Kind kind = code == tgd::detail::no_character ? Kind::left_out
                    : !tgd::detail::is_in_word(code)  ? Kind::gap
                    : tgd::detail::is_ideograph(code) ? Kind::ideograph
                                                      : Kind::letter;
  return {kind, code, at + length};
}

/// The words between white space.
std::vector<std::uint64_t> hashed_words(std::string_view text) {
  std::vector<std::uint64_t> words;
  words.reserve(text.size() / 4);
  std::uint64_t word = hash_seed;
  for (const char c : text) {
    if (!is_space(c)) {
      word = (word ^ static_cast<unsigned char>(c)) * hash_factor;
    } else if (word != hash_seed) {
      words.push_back(std::exchange(word, hash_seed));
    }
  }
  if (word != hash_seed) words.push_back(word);
  return words;
}

using HashedWords = std::span<const std::uint64_t>;

void drop_common_ends(HashedWords& a, HashedWords& b) {
  const auto begins = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto same = static_cast<std::size_t>(begins.first - a.begin());
  a = a.subspan(same);
  b = b.subspan(same);
  const auto ends = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  const auto left = static_cast<std::size_t>(ends.first - a.rbegin());
  a = a.first(a.size() - left);
  b = b.first(b.size() - left);
}

/// The rows of a table of distances that have a given word.
class RowsOfWord {
 public:
  static constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();

  explicit RowsOfWord(HashedWords words) : words_(words), last_(std::bit_ceil(2 * words.size() + 2), nowhere) {
    earlier_.reserve(words.size());
    for (std::uint32_t row = 0; row < words.size(); ++row) earlier_.push_back(std::exchange(last_[place_of(words[row])], row));
  }

  std::uint32_t last(std::uint64_t word) const { return last_[place_of(word)]; }
  /// The row before with the same word.
  std::uint32_t earlier(std::uint32_t row) const { return earlier_[row]; }

 private:
  std::size_t place_of(std::uint64_t word) const {
    const std::size_t mask = last_.size() - 1;
    std::size_t at = word & mask;
    while (last_[at] != nowhere && words_[last_[at]] != word) at = (at + 1) & mask;
    return at;
  }

  HashedWords words_;
  std::vector<std::uint32_t> last_;  // open addressing, never more than half full
  std::vector<std::uint32_t> earlier_;
};

/// 64 rows of a column, as differences between neighbours.
struct BitBlock {
  std::uint64_t plus = ~std::uint64_t{0};
  std::uint64_t minus = 0;
  std::uint64_t equal = 0;  // the rows whose word is that of the column
};

}  // namespace

std::vector<Word> words_of(std::string_view text) {
  using Kind = Character::Kind;
  std::vector<Word> words;
  words.reserve(text.size() / 6);
  bool goes_on = false;  // the last word, with the next letter
  for (std::size_t at = 0; at < text.size();) {
    if (unsigned char letter = ascii_letter(text[at]); letter != 0) {
      if (!goes_on) words.push_back({hash_seed, at, at});
      std::uint64_t hash = words.back().hash;
      for (; letter != 0; letter = ++at < text.size() ? ascii_letter(text[at]) : 0) hash = (hash ^ letter) * hash_factor;
      words.back().hash = hash;
      words.back().end = at;
      goes_on = true;
      continue;
    }
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      goes_on = false;
      ++at;
      continue;
    }
    const Character character = character_at(text, at);
    if (character.kind == Kind::letter || character.kind == Kind::ideograph) {
      if (!goes_on || character.kind == Kind::ideograph) words.push_back({hash_seed, at, at});
      words.back().hash = (words.back().hash ^ character.code) * hash_factor;
      words.back().end = character.end;
      goes_on = character.kind == Kind::letter;
    } else if (character.kind == Kind::gap) {
      goes_on = false;
    } else if (goes_on) {
      words.back().end = character.end;  // such as an accent
    }
    at = character.end;
  }
  return words;
}

WordDistance::WordDistance(std::string_view before) : words_(hashed_words(before)) {}

// Bit-parallel: 64 rows of the table at a time. G. Myers, "A fast bit-vector algorithm for approximate string matching based on
// dynamic programming", 1999, in the form for the distance of whole texts by H. Hyyro, 2003. The step from one column to the next
// goes down the blocks as two bits; without branches, because which way it goes cannot be foreseen.
std::size_t WordDistance::to(std::string_view after) const {
  const std::vector<std::uint64_t> other = hashed_words(after);
  HashedWords rows = words_;
  HashedWords columns = other;
  drop_common_ends(rows, columns);
  if (rows.empty() || columns.empty()) return rows.size() + columns.size();

  const RowsOfWord rows_of_word(rows);
  std::vector<BitBlock> blocks((rows.size() + 63) / 64);
  const std::size_t last_bit = (rows.size() - 1) % 64;
  std::size_t distance = rows.size();
  for (const std::uint64_t word : columns) {
    for (std::uint32_t row = rows_of_word.last(word); row != RowsOfWord::nowhere; row = rows_of_word.earlier(row))
      blocks[row / 64].equal |= std::uint64_t{1} << (row % 64);
    std::uint64_t more = 0;
    std::uint64_t less = 0;
    std::uint64_t more_in = 1;
    std::uint64_t less_in = 0;
    for (BitBlock& block : blocks) {
      const auto [plus, minus, equal] = block;
      const std::uint64_t vertical = equal | minus;
      const std::uint64_t same = equal | less_in;
      const std::uint64_t horizontal = (((same & plus) + plus) ^ plus) | same;
      more = minus | ~(horizontal | plus);
      less = plus & horizontal;
      const std::uint64_t more_above = (more << 1) | more_in;
      block = {(less << 1) | less_in | ~(vertical | more_above), more_above & vertical, 0};
      more_in = more >> 63;
      less_in = less >> 63;
    }
    distance += ((more >> last_bit) & 1) - ((less >> last_bit) & 1);
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
    bits_.set(bit_of(run));
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
  const auto counts = [&](std::uint64_t run) { return bits_[bit_of(run)] && added_.contains(run) && !allowed.contains(run); };
  const auto first = std::find_if(runs.begin(), runs.end(), counts);
  if (first == runs.end()) return std::nullopt;
  const auto last = std::find_if_not(first, runs.end(), counts) - 1;
  const std::size_t begin = words[static_cast<std::size_t>(first - runs.begin())].begin;
  const std::size_t end = words[static_cast<std::size_t>(last - runs.begin()) + length_ - 1].end;
  return text.substr(begin, end - begin);
}

}  // namespace tgd::optim::detail
