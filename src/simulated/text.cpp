#include "simulated/text.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include "core/split_mix.hpp"
#include "core/text.hpp"

namespace tgd::lm::detail {

namespace {

using tgd::detail::trim;

// Longer phrases are no cues; the bound keeps the search for phrases linear.
constexpr std::size_t max_phrase_words = 6;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

bool cut_ending(std::string& word, std::string_view ending, std::size_t keep) {
  if (word.size() < ending.size() + keep || !word.ends_with(ending)) return false;
  word.resize(word.size() - ending.size());
  return true;
}

std::string stem_of(std::string word) {
  cut_ending(word, "'s", 1);
  if (cut_ending(word, "ies", 2)) {
    word += 'y';
  } else if (!word.ends_with("ss") && !word.ends_with("us")) {
    cut_ending(word, "s", 3);
  }
  if (!cut_ending(word, "ing", 3)) cut_ending(word, "ed", 3);
  for (const std::string_view ending : {"ation", "ment", "ion", "able", "ery", "er", "ly", "al"}) {
    if (cut_ending(word, ending, 4)) break;
  }
  cut_ending(word, "e", 3);
  cut_ending(word, "y", 4);
  // "shipped" leaves "shipp", "ship" leaves "ship".
  const std::size_t size = word.size();
  if (size > 3 && word[size - 1] == word[size - 2]) word.pop_back();
  return word;
}

constexpr std::string_view stop_word_list =
    "a about actually after afternoon again ago all almost already also although always am an and another any "
    "anybody anyone anything anyway anywhere april are around as ask asked asking at august autumn away back "
    "basically be became because become been before began being believe better between bit both but by call "
    "called calls came can can't cannot cant certainly come comes coming completely could couldn't couldnt "
    "currently day days dear december definitely did didn't didnt do does doesn't doesnt doing don't done dont "
    "down during each early eight eighteen either eleven else elsewhere enough especially even evening ever "
    "every everybody everyone everything everywhere exactly expect expected explain explained february feel "
    "feels felt few fifteen fifty finally first five folks for forty four friday fridays from further gave get "
    "gets getting give given gives go goes going got guess had half happen happened happens has have haven't "
    "havent having he hear heard hello her here hers herself hey hi him himself his honestly hope hour hours how "
    "however hundred i i'd i'll i'm i've id idea if ill im immediately in instead into is isn't isnt it it's its "
    "itself ive january july june just keep keeps kept kindly knew know known last later latest least leave "
    "leaves left less let letting like likely little long longer lot made make makes many march may maybe me "
    "means meant mention mentioned merely midnight might mine minute minutes moment monday mondays month months "
    "more morning mornings most mostly much must my myself nearly need never new next night nine no nobody none "
    "noon nor normally not nothing notice noticed november now nowhere number numbers obviously october of off "
    "often ok okay old on once one only or other others otherwise our ours ourselves out over own perhaps place "
    "please point possible possibly probably properly question questions quickly quite rather really reason "
    "received recently right said same saturday saturdays saw say saying says second seconds see seem seemed "
    "seems seen september seven several she short should shouldn't shouldnt simply since six sixteen sixty "
    "slightly so some somebody somehow someone something sometimes somewhere soon sorry spring start started "
    "starts stay still such suddenly summer sunday sundays suppose supposed sure take taken takes talk tell "
    "telling ten than thank thanks that that's thats the their theirs them themselves then there theres these "
    "they theyre thing things think thinking third thirty this those though thought thousand three through "
    "thursday thursdays time times to today together told tomorrow tonight too took totally tried truly try "
    "trying tuesday tuesdays twelve twenty twice two under understand until up upon us use used uses using "
    "usually very wait waited waiting want wanted wants was wasn't wasnt way we we've wednesday wednesdays week "
    "weekend weeks well went were weve what what's whatever whats when whenever where whether which while who "
    "whole why will winter wish with within without won't wonder wondering wont word words would wouldn't "
    "wouldnt write wrote year years yes yesterday yet you you're your youre yours yourself";

const std::unordered_set<std::string_view>& stop_words() {
  static const std::unordered_set<std::string_view> words = [] {
    std::unordered_set<std::string_view> set;
    for (std::size_t at = 0; at < stop_word_list.size();) {
      const std::size_t end = std::min(stop_word_list.find(' ', at), stop_word_list.size());
      set.insert(stop_word_list.substr(at, end - at));
      at = end + 1;
    }
    return set;
  }();
  return words;
}

// Single quotes and backticks that enclose words become double quotes: 'invoice' is quoted, the customers' is not.
std::string with_double_quotes(std::string line) {
  std::size_t opening = line.npos;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '`') line[i] = '"';
    if (line[i] != '\'') continue;
    const bool after_letter = i > 0 && is_letter(line[i - 1]);
    const bool before_letter = i + 1 < line.size() && is_letter(line[i + 1]);
    if (!after_letter && before_letter) {
      opening = i;
    } else if (!before_letter && opening != line.npos) {
      line[opening] = line[i] = '"';
      opening = line.npos;
    }
  }
  return line;
}

// Where the word "or" or "and" that ends a list item begins, its spaces included; 0 where none does.
std::size_t conjunction_at(std::string_view text, std::size_t at) {
  for (const std::string_view word : {" or ", " and "}) {
    if (text.substr(at).starts_with(word)) return word.size() - 1;
  }
  return 0;
}

struct Span {
  std::size_t begin, end;              // with its tags
  std::size_t inner_begin, inner_end;  // without
};

// Each closing tag belongs to the nearest opening one before it. One walk, whatever is missing.
std::vector<Span> spans_of(std::string_view text, std::string_view tag) {
  const std::string name(tag);
  std::vector<std::pair<std::size_t, std::size_t>> open;
  std::vector<Span> spans;
  for (std::size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
    std::string_view rest = text.substr(at + 1);
    const bool closing = rest.starts_with('/');
    if (closing) rest.remove_prefix(1);
    if (!rest.starts_with(name)) continue;
    rest.remove_prefix(name.size());
    if (rest.empty() || (rest[0] != '>' && (closing || rest[0] != ' '))) continue;
    const std::size_t length = rest.find_first_of("<>");
    if (length == rest.npos || rest[length] == '<') continue;
    const std::size_t after = text.size() - rest.size() + length + 1;
    if (!closing) {
      open.emplace_back(at, after);
    } else if (!open.empty()) {
      const Span span{open.back().first, after, open.back().second, at};
      open.pop_back();
      while (!spans.empty() && spans.back().begin > span.begin) spans.pop_back();
      spans.push_back(span);
    }
  }
  return spans;
}

}  // namespace

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_letter(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    const auto inside = [&](std::size_t i) {
      return is_letter(text[i]) || (text[i] == '\'' && i + 1 < text.size() && is_letter(text[i + 1]));
    };
    while (at < text.size() && inside(at)) ++at;
    std::string word = lower_case(text.substr(begin, at - begin));
    std::string stem = stem_of(word);
    words.push_back({std::move(word), std::move(stem), begin, at});
  }
  return words;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) { return text.find(phrase) != text.npos; });
}

bool is_stop_word(std::string_view lower_case_word) { return stop_words().contains(lower_case_word); }

bool are_related(std::string_view stem, std::string_view other_stem) {
  if (stem == other_stem) return true;
  const std::size_t shorter = std::min(stem.size(), other_stem.size());
  std::size_t common = 0;
  while (common < shorter && stem[common] == other_stem[common]) ++common;
  return common >= 6 || (common >= 4 && common == shorter);
}

std::string phrase_key(std::string_view text) {
  std::string key;
  for (const Word& word : words_of(text)) key += (key.empty() ? "" : " ") + word.stem;
  return key;
}

std::string plain(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 16> spellings = {{{"“", "\""},
                                                                                        {"”", "\""},
                                                                                        {"„", "\""},
                                                                                        {"«", "\""},
                                                                                        {"»", "\""},
                                                                                        {"‘", "'"},
                                                                                        {"’", "'"},
                                                                                        {"–", "-"},
                                                                                        {"—", "-"},
                                                                                        {"→", "->"},
                                                                                        {"⇒", "->"},
                                                                                        {"•", "-"},
                                                                                        {"·", "-"},
                                                                                        {"…", "..."},
                                                                                        {"\xC2\xA0", " "},
                                                                                        {"**", ""}}};
  std::string result;
  for (const std::string_view line : lines_of(text)) {
    std::string ascii;
    for (std::size_t at = 0; at < line.size();) {
      const bool may_be_spelled = static_cast<unsigned char>(line[at]) >= 0x80 || line[at] == '*';
      if (!may_be_spelled) {
        ascii += line[at++];
        continue;
      }
      const auto found = std::find_if(spellings.begin(), spellings.end(),
                                      [&](const auto& spelling) { return line.substr(at).starts_with(spelling.first); });
      ascii += found == spellings.end() ? line.substr(at, 1) : found->second;
      at += found == spellings.end() ? 1 : found->first.size();
    }
    result += with_double_quotes(std::move(ascii)) + '\n';
  }
  return result;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<std::string> quoted_parts(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t open = text.find('"'); open != text.npos;) {
    const std::size_t close = text.find('"', open + 1);
    if (close == text.npos) break;
    parts.emplace_back(trim(text.substr(open + 1, close - open - 1)));
    open = text.find('"', close + 1);
  }
  return parts;
}

std::vector<std::string> list_items(std::string_view text) {
  std::vector<std::string> items;
  std::size_t begin = 0;
  std::size_t depth = 0;
  bool quoted = false;
  const auto finish = [&](std::size_t end) {
    const std::string_view item = trim(text.substr(begin, end - begin));
    if (!item.empty()) items.emplace_back(item);
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '(') ++depth;
    if (c == ')' && depth > 0) --depth;
    if (depth > 0) continue;
    const std::size_t conjunction = c == ' ' ? conjunction_at(text, at) : 0;
    if (conjunction == 0 && std::string_view(",;/|>\n").find(c) == std::string_view::npos) continue;
    finish(at);
    // The space behind a conjunction may begin the next one: "a, and or b".
    at += conjunction == 0 ? 0 : conjunction - 1;
    begin = at + 1;
  }
  finish(text.size());
  return items;
}

std::vector<std::string> elements(std::string_view text, std::string_view tag) {
  std::vector<std::string> contents;
  for (const Span& span : spans_of(text, tag)) {
    contents.emplace_back(trim(text.substr(span.inner_begin, span.inner_end - span.inner_begin)));
  }
  return contents;
}

std::string without_elements(std::string_view text, std::string_view tag) {
  std::string rest;
  std::size_t at = 0;
  for (const Span& span : spans_of(text, tag)) {
    rest += text.substr(at, span.begin - at);
    at = span.end;
  }
  return rest.append(text.substr(at));
}

std::string replaced_all(std::string text, std::string_view from, std::string_view to) {
  std::string result;
  std::size_t at = 0;
  for (std::size_t found = text.find(from); found != text.npos; found = text.find(from, at)) {
    result.append(text, at, found - at).append(to);
    at = found + from.size();
  }
  return result.append(text, at);
}

Dice Dice::with(std::string_view text) const {
  // FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), started from the state; split_mix64() spreads it over all bits.
  std::uint64_t hash = 0xcbf29ce484222325U ^ tgd::detail::split_mix64(state_, 0);
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return Dice(tgd::detail::split_mix64(hash, 0));
}

double Dice::share() const { return static_cast<double>(state_ >> 11U) * 0x1p-53; }

std::size_t Dice::below(std::size_t count) const { return state_ % count; }

void PhraseIndex::add(std::string_view phrase, std::size_t id) {
  const std::vector<Word> words = words_of(phrase);
  if (words.empty() || words.size() > max_phrase_words) return;
  std::vector<std::size_t>& ids = ids_[phrase_key(phrase)];
  if (ids.empty() || ids.back() != id) ids.push_back(id);
  longest_ = std::max(longest_, words.size());
}

std::vector<PhraseIndex::Hit> PhraseIndex::find(const std::vector<Word>& words) const {
  std::vector<Hit> hits;
  for (std::size_t first = 0; first < words.size();) {
    const std::vector<std::size_t>* ids = nullptr;
    std::size_t count = 0;
    std::string key;
    for (std::size_t size = 1; size <= longest_ && first + size <= words.size(); ++size) {
      key += (size == 1 ? "" : " ") + words[first + size - 1].stem;
      const auto found = ids_.find(key);
      if (found == ids_.end()) continue;
      ids = &found->second;
      count = size;
    }
    if (ids != nullptr) hits.push_back({ids, first, count});
    first += std::max<std::size_t>(count, 1);
  }
  return hits;
}

}  // namespace tgd::lm::detail
