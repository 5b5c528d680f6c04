#include "run/word_diff.hpp"

#include <algorithm>
#include <utility>

#include "core/characters.hpp"
#include "core/fold.hpp"
#include "core/sequence_diff.hpp"
#include "core/utf8.hpp"

namespace tgd::cli {

namespace {

using Pieces = std::vector<std::string_view>;
using Kind = WordChange::Kind;

/// What a character does to a word: it ends one, goes on with blanks or with letters, or stands alone.
enum class Class { line_end, blank, letter, mark };

Class class_of(std::string_view character) {
  if (character == "\n") return Class::line_end;
  const char32_t code = tgd::detail::code_of(character);
  if (tgd::detail::is_blank(code)) return Class::blank;
  // Words of scripts without blanks are their characters.
  return tgd::detail::is_in_word(code) && !tgd::detail::is_unspaced(code) ? Class::letter : Class::mark;
}

/// Words, stretches of blanks, and everything else character by character: line ends, too, so that changed lines stay apart.
Pieces words_of(std::string_view text) {
  Pieces words;
  Class last = Class::mark;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = tgd::detail::character_length(text.substr(at));
    const std::string_view character = text.substr(at, std::max<std::size_t>(length, 1));
    const Class here = length == 0 ? Class::mark : class_of(character);
    if (!words.empty() && here == last && (here == Class::blank || here == Class::letter)) {
      words.back() = text.substr(at - words.back().size(), words.back().size() + character.size());
    } else {
      words.push_back(character);
    }
    last = here;
    at += character.size();
  }
  return words;
}

bool is_blank(std::string_view text) {
  const Pieces words = words_of(text);
  return words.size() == 1 && text != "\n" && class_of(text.substr(0, tgd::detail::character_length(text))) == Class::blank;
}

std::vector<WordChange> stretches(const std::vector<tgd::detail::PieceChange>& changes) {
  std::vector<WordChange> result;
  for (const auto& [mark, piece] : changes) {
    const Kind kind = mark == ' ' ? Kind::same : mark == '-' ? Kind::gone : Kind::added;
    if (result.empty() || result.back().kind != kind) result.push_back({kind, {}});
    result.back().text += piece;
  }
  return result;
}

/// A blank between two changes would tear them into crumbs.
std::vector<WordChange> without_crumbs(const std::vector<WordChange>& changes) {
  std::vector<WordChange> result;
  std::string gone;
  std::string added;
  const auto flush = [&] {
    if (!gone.empty()) result.push_back({Kind::gone, std::exchange(gone, {})});
    if (!added.empty()) result.push_back({Kind::added, std::exchange(added, {})});
  };
  for (const WordChange& change : changes) {
    const bool is_last = &change == &changes.back();
    if (change.kind == Kind::gone) {
      gone += change.text;
    } else if (change.kind == Kind::added) {
      added += change.text;
    } else if (!is_last && !gone.empty() && !added.empty() && is_blank(change.text)) {
      gone += change.text;
      added += change.text;
    } else {
      flush();
      result.push_back(change);
    }
  }
  flush();
  return result;
}

}  // namespace

std::vector<WordChange> word_diff(std::string_view before, std::string_view after) {
  return without_crumbs(stretches(tgd::detail::changes_between(words_of(before), words_of(after))));
}

std::size_t count_words(const std::vector<WordChange>& changes, WordChange::Kind kind) {
  std::size_t count = 0;
  for (const WordChange& change : changes) {
    if (change.kind != kind) continue;
    const Pieces words = words_of(change.text);
    bool is_inside = false;
    for (const std::string_view word : words) {
      const bool is_gap = word == "\n" || is_blank(word);
      if (!is_gap && !is_inside) ++count;
      is_inside = !is_gap;
    }
  }
  return count;
}

}  // namespace tgd::cli
