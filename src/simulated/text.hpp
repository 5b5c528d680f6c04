// What the simulated model needs to look at text: words with their stems, phrases, lists, tagged elements, fixed chance.
//
// Everything here is linear in the length of its input and takes any bytes. Case, and the forms of an English word, are told
// apart for ASCII only; other bytes count as letters, so that texts in other languages still have words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/text.hpp"

namespace tgd::lm::detail {

struct Word {
  std::string text;   ///< in lower case
  std::string stem;   ///< without the usual English endings: "charges", "charged" and "charging" share one
  std::size_t begin;  ///< position in bytes
  std::size_t end;
};

std::vector<Word> words_of(std::string_view text);
using tgd::detail::lower_case;

bool contains_any(std::string_view text, std::initializer_list<std::string_view> phrases);

/// Words that say little by themselves in any text: "the", "would", "please", numbers, times.
bool is_stop_word(std::string_view lower_case_word);
/// A few words in lower case, given in one text with spaces between them.
class WordSet {
 public:
  constexpr explicit WordSet(std::string_view words) : words_(words) {}
  constexpr bool contains(std::string_view word) const {
    for (std::size_t at = words_.find(word); at != words_.npos; at = words_.find(word, at + 1)) {
      const bool begins = at == 0 || words_[at - 1] == ' ';
      const bool ends = at + word.size() == words_.size() || words_[at + word.size()] == ' ';
      if (begins && ends && !word.empty()) return true;
    }
    return false;
  }

 private:
  std::string_view words_;
};

/// Whether the two stems seem to belong to one family, as those of "cancel" and "cancellation" do.
bool are_related(std::string_view stem, std::string_view other_stem);
/// The stems of a text's words, joined by spaces: equal for two spellings of one phrase.
std::string phrase_key(std::string_view text);

/// The text with typographic quotes, dashes, arrows and bullets in ASCII, and without Markdown's marks for bold and code.
std::string plain(std::string_view text);
std::vector<std::string_view> lines_of(std::string_view text);
/// What stands between double quotes.
std::vector<std::string> quoted_parts(std::string_view text);
/// The parts between commas, semicolons, slashes, bars, and (outside quotes and brackets) the words "or" and "and".
std::vector<std::string> list_items(std::string_view text);

/// The contents of the outermost elements `<tag>…</tag>`, trimmed. A tag without its partner is plain text.
std::vector<std::string> elements(std::string_view text, std::string_view tag);
/// The text without these elements.
std::string without_elements(std::string_view text, std::string_view tag);
std::string replaced_all(std::string text, std::string_view from, std::string_view to);

/// Chance that depends on the seed and the texts alone.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t state() const { return state_; }
  /// A copy whose outcomes also depend on `text`.
  Dice with(std::string_view text) const;
  /// In [0, 1).
  double share() const;
  /// In [0, count); `count` is not 0.
  std::size_t below(std::size_t count) const;

 private:
  std::uint64_t state_;
};

/// Finds many phrases in one walk over a text.
class PhraseIndex {
 public:
  /// The same phrase may be added under several ids.
  void add(std::string_view phrase, std::size_t id);

  struct Hit {
    const std::vector<std::size_t>* ids;
    std::size_t first_word;
    std::size_t word_count;
  };
  /// From left to right, without overlaps; of several phrases that begin at one word, the longest.
  std::vector<Hit> find(const std::vector<Word>& words) const;

 private:
  std::unordered_map<std::string, std::vector<std::size_t>> ids_;
  std::size_t longest_ = 0;
};

}  // namespace tgd::lm::detail
