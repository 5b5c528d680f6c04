#include "simulated/reader.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <unordered_set>

#include "core/text.hpp"

namespace tgd::lm::detail {

namespace {

using tgd::detail::trim;

// Bounds what a text that is all labels can cost; real label sets are far below.
constexpr std::size_t max_labels = 256;
constexpr std::size_t max_label_words = 4;
constexpr std::size_t max_label_bytes = 60;
// A longer description of a label is taken word by word.
constexpr std::size_t max_cue_words = 3;

// ---- The vocabulary of instructions ----------------------------------------------------------------------------------

// Verbs that stand before the label that a rule leads to.
constexpr WordSet answer_verbs(
    "answer assign call choose classify give label mark output pick put reply respond return say select tag "
    "take use write");

// Verbs that tie cues to a label: "invoice and refund mean billing".
constexpr WordSet cue_verbs(
    "are belong belongs count counts fall falls go goes indicate indicates is mean means point points speak "
    "speaks suggest suggests then");

// What may stand around these verbs without being a cue.
constexpr WordSet glue_words(
    "a always an as be category class do for in into it its just label message must of only please should "
    "the this to under usually with");

constexpr WordSet negations("aren't doesn't don't isn't never not");

// Words that lead from a label to its cues: "choose billing when …".
constexpr WordSet connectors("because for if on when whenever where");

// The same, where the sentence begins with the label: "billing covers …".
constexpr WordSet describing_verbs("are concerns covers has includes is means");

// What a condition begins with before it comes to its cues.
constexpr WordSet condition_words(
    "a about all an and any anything are as ask asking asks because by case complains concern concerning "
    "concerns contain contained containing contains customer customer's customers email emails etc "
    "everything following for has have he if in include included includes involve involves is it keyword "
    "keywords like look mail mails mention mentioned mentioning mentions message messages of on one or "
    "phrase phrases question questions regarding request requests says she someone something such talk talks "
    "term terms text texts that the there they things to user users uses was were when whenever where which "
    "with word words writer");

bool has_any(const std::vector<Word>& words, const WordSet& set) {
  return std::any_of(words.begin(), words.end(), [&](const Word& word) { return set.contains(word.text); });
}

// ---- Statements ------------------------------------------------------------------------------------------------------

struct Statement {
  std::string text;
  bool is_bullet = false;
};

// Takes "- ", "* ", "2. " or "b) " off the front.
bool take_bullet(std::string_view& line) {
  if (line.starts_with("- ") || line.starts_with("* ") || line.starts_with("+ ")) {
    line = trim(line.substr(2));
    return true;
  }
  const std::size_t mark = line.find_first_of(".) ");
  if (mark == 0 || mark > 3 || line.substr(mark + 1, 1) != " " || line[mark] == ' ') return false;
  const bool is_number = line.substr(0, mark).find_first_not_of("0123456789") == line.npos;
  if (!is_number && mark != 1) return false;
  line = trim(line.substr(mark + 1));
  return true;
}

bool ends_sentence(std::string_view line, std::size_t at) {
  if (std::string_view(".!?").find(line[at]) == std::string_view::npos) return false;
  if (at + 1 < line.size() && line[at + 1] != ' ') return false;
  const std::string_view before = line.substr(0, at);
  return !(before.ends_with("e.g") || before.ends_with("i.e") || before.ends_with("vs") || before.ends_with("etc"));
}

// A semicolon separates the items of a list or whole rules; the length of what follows tells which.
bool begins_new_rule(std::string_view line, std::size_t semicolon) {
  constexpr std::size_t longest_item = 40;
  const std::size_t end = line.find(';', semicolon + 1);
  return std::min(end, line.size()) - semicolon > longest_item;
}

void add_sentences(std::string_view line, bool is_bullet, std::vector<Statement>& statements) {
  std::size_t begin = 0;
  bool quoted = false;
  const auto finish = [&](std::size_t end) {
    const std::string_view sentence = trim(line.substr(begin, end - begin));
    if (!sentence.empty()) statements.push_back({std::string(sentence), is_bullet && begin == 0});
    begin = end + 1;
  };
  const bool quotes_pair = std::count(line.begin(), line.end(), '"') % 2 == 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '"' && quotes_pair) quoted = !quoted;
    if (quoted) continue;
    if (ends_sentence(line, at) || (line[at] == ';' && begins_new_rule(line, at))) finish(at);
  }
  if (begin < line.size()) finish(line.size());
}

std::vector<Statement> statements_of(std::string_view text) {
  const std::string ascii = plain(text);
  std::vector<Statement> statements;
  for (std::string_view line : lines_of(ascii)) {
    line = trim(line);
    line.remove_prefix(std::min(line.find_first_not_of("#> "), line.size()));
    const bool is_bullet = take_bullet(line);
    add_sentences(line, is_bullet, statements);
  }
  return statements;
}

// "billing: invoice, refund" or "billing - invoice, refund". The tail is empty after a bare "Labels:".
struct Definition {
  std::string_view head;
  std::string_view tail;
};

std::optional<Definition> as_definition(std::string_view statement) {
  std::size_t best = statement.npos;
  std::size_t length = 0;
  for (const std::string_view separator : {":", " - ", " = ", "->", "=>"}) {
    const std::size_t at = statement.find(separator);
    if (at >= best) continue;
    best = at;
    length = separator.size();
  }
  if (best == statement.npos) return std::nullopt;
  return Definition{trim(statement.substr(0, best)), trim(statement.substr(best + length))};
}

// ---- Labels ----------------------------------------------------------------------------------------------------------

bool is_quoted(std::string_view text) { return text.size() > 2 && text.front() == '"' && text.back() == '"'; }

// The label that a list item names, without article, brackets and quotes; empty when the item does not look like a label.
std::string label_in(std::string_view item) {
  constexpr WordSet leading(
      "a an and categories category class classes either exactly following label labels options or the these "
      "topic topics values");
  constexpr WordSet impossible(
      "answer are based be depending from i if is it message messages must only please reply should that "
      "they this to we what when which will with you your");
  item = trim(item.substr(0, item.find('(')));
  while (!item.empty() && std::string_view(".:[]{}").find(item.back()) != std::string_view::npos)
    item = trim(item.substr(0, item.size() - 1));
  while (!item.empty() && std::string_view("[]{}").find(item.front()) != std::string_view::npos) item = trim(item.substr(1));
  if (is_quoted(item)) return std::string(trim(item.substr(1, item.size() - 2)));

  std::vector<Word> words = words_of(item);
  std::size_t first = 0;
  while (first + 1 < words.size() && leading.contains(words[first].text)) ++first;
  if (words.empty() || words.size() - first > max_label_words || item.size() - words[first].begin > max_label_bytes) return {};
  for (std::size_t i = first; i < words.size(); ++i) {
    if (impossible.contains(words[i].text)) return {};
  }
  item.remove_prefix(words[first].begin);
  if (const std::size_t quote = item.find('"'); quote != item.npos) item = trim(item.substr(0, quote));
  return std::string(item);
}

// The labels at the beginning of a list; none unless there are two, for one word alone says nothing about labels.
std::vector<std::string> labels_in_list(std::string_view list) {
  std::vector<std::string> labels;
  for (const std::string& item : list_items(list)) {
    std::string label = label_in(item);
    if (label.empty()) break;
    labels.push_back(std::move(label));
  }
  if (labels.size() < 2) labels.clear();
  return labels;
}

// Whether "head:" announces the labels, as in "Answer with one of:".
bool announces_labels(std::string_view head) {
  constexpr WordSet yes(
      "about answer answers as between categories category choose class classes classify following intent "
      "intents into label labels one option options pick reply respond sort tag tags topic topics");
  constexpr WordSet no(
      "contain contains cue cues default example examples for format if keyword keywords mean means mention "
      "mentions note order otherwise phrases precedence prefer priority unsure when words");
  const std::vector<Word> words = words_of(head);
  return has_any(words, yes) && !has_any(words, no);
}

// Whether "head: …" is a line of another kind than the definition of a label.
bool is_reserved_head(std::string_view head) {
  constexpr WordSet reserved(
      "answer assistant context default example examples fallback format goal hint important input language "
      "message note notes order otherwise output precedence priority question remember role rule rules steps "
      "style system task text tip tone user warning");
  const std::vector<Word> words = words_of(head);
  return words.empty() || reserved.contains(words.front().text) || announces_labels(head);
}

// Collects label names from the places that name them. A prompt that lists its labels is taken at its word; else those count
// that rules are given for, and else those that a sentence offers ("is it positive or negative?").
class LabelCollector {
 public:
  std::vector<std::string> collect(const std::vector<Statement>& statements) {
    for (std::size_t i = 0; i < statements.size(); ++i) look_at(statements, i);
    append(listed_, added(statements));
    if (!listed_.empty()) return std::move(listed_);
    if (defined_.size() >= 2) ruled_.insert(ruled_.begin(), defined_.begin(), defined_.end());
    return ruled_.empty() ? std::move(offered_) : std::move(ruled_);
  }

  /// Only those that the text asks to add to labels that are known already.
  static std::vector<std::string> added(const std::vector<Statement>& statements) {
    std::vector<std::string> labels;
    for (const Statement& statement : statements) {
      if (lower_case(statement.text).starts_with("add the label")) append(labels, quoted_parts(statement.text));
    }
    return labels;
  }

 private:
  static void append(std::vector<std::string>& to, const std::vector<std::string>& labels) {
    to.insert(to.end(), labels.begin(), labels.end());
  }

  void look_at(const std::vector<Statement>& statements, std::size_t i) {
    const Statement& statement = statements[i];
    const std::string lower = lower_case(statement.text);
    if (const auto definition = as_definition(statement.text)) {
      if (announces_labels(definition->head)) {
        append(listed_, definition->tail.empty() ? bullets_after(statements, i) : labels_in_list(definition->tail));
      } else if (std::string label = label_in(definition->head);
                 !label.empty() && !is_reserved_head(definition->head) && !definition->tail.empty()) {
        defined_.push_back(std::move(label));
      }
    }
    look_for_inline_list(statement.text, lower);
    look_for_rule(statement.text);
  }

  static std::vector<std::string> bullets_after(const std::vector<Statement>& statements, std::size_t i) {
    std::vector<std::string> labels;
    for (++i; i < statements.size() && statements[i].is_bullet; ++i) {
      const auto definition = as_definition(statements[i].text);
      std::string label = label_in(definition ? definition->head : statements[i].text);
      if (!label.empty()) labels.push_back(std::move(label));
    }
    return labels;
  }

  void look_for_inline_list(std::string_view text, std::string_view lower) {
    const auto labels_after = [&](std::string_view marker) {
      const std::size_t at = lower.rfind(marker);
      return at == lower.npos ? std::vector<std::string>{} : labels_in_list(text.substr(at + marker.size()));
    };
    for (const std::string_view marker : {" one of ", "labels ", "labels are ", "categories ", "classes ", "topics "}) {
      append(listed_, labels_after(marker));
    }
    if (!offered_.empty()) return;
    // "and" joins much else than labels after words that are as common as these.
    const bool is_choice = lower.find(" or ") != lower.npos;
    for (const std::string_view marker :
         {" as ", " into ", " between ", " whether ", " about ", " is ", " are ", "answer ", "say "}) {
      if (offered_.empty() && (is_choice || marker == " into " || marker == " between ")) offered_ = labels_after(marker);
    }
  }

  // "Choose billing when …", "…, answer billing": the words between the verb and the condition or the end.
  void look_for_rule(std::string_view text) {
    constexpr WordSet conditional("default for if mentions otherwise when whenever");
    const std::vector<Word> words = words_of(text);
    if (!has_any(words, conditional)) return;
    std::size_t first = words.size();
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (answer_verbs.contains(words[i].text)) first = i + 1;
    }
    if (first >= words.size()) return;
    while (first + 1 < words.size() && glue_words.contains(words[first].text)) ++first;
    std::size_t last = first;
    while (last < words.size() && !connectors.contains(words[last].text)) ++last;
    if (last == first) return;
    std::string label = label_in(text.substr(words[first].begin, words[last - 1].end - words[first].begin));
    if (!label.empty()) ruled_.push_back(std::move(label));
  }

  std::vector<std::string> listed_;
  std::vector<std::string> defined_;
  std::vector<std::string> ruled_;
  std::vector<std::string> offered_;
};

// ---- Rules -----------------------------------------------------------------------------------------------------------

// The words of a cue without what leads to them: "the message mentions an invoice" leaves "invoice".
std::string_view without_lead(std::string_view item) {
  constexpr WordSet triggers(
      "about concerning concerns contain contains include includes keyword keywords mention mentioned "
      "mentions phrase phrases regarding says term terms word words");
  const std::vector<Word> words = words_of(item);
  std::size_t first = words.size();
  while (first > 0 && !triggers.contains(words[first - 1].text)) --first;
  while (first < words.size() && condition_words.contains(words[first].text)) ++first;
  if (first == words.size()) return {};
  return item.substr(words[first].begin, words.back().end - words[first].begin);
}

std::vector<std::string> cues_of(std::string_view body) {
  std::vector<std::string> cues = quoted_parts(body);
  if (!cues.empty()) return cues;
  for (const std::string& item : list_items(body)) {
    const std::string_view cue = without_lead(item);
    const std::vector<Word> words = words_of(cue);
    if (words.size() <= max_cue_words) {
      if (!cue.empty()) cues.emplace_back(cue);
      continue;
    }
    for (const Word& word : words) {
      if (!is_stop_word(word.text) && !condition_words.contains(word.text)) cues.push_back(word.text);
    }
  }
  return cues;
}

class RuleReader {
 public:
  RuleReader(const std::vector<Statement>& statements, const std::vector<std::string>& known_labels) : statements_(statements) {
    for (const std::string& label : known_labels) add_label(label);
    const bool must_find = known_labels.empty();
    for (const std::string& label : must_find ? LabelCollector().collect(statements) : LabelCollector::added(statements))
      add_label(label);
    for (std::size_t i = 0; i < rules_.labels.size(); ++i) label_index_.add(rules_.labels[i].name, i);
  }

  Rules read() {
    for (const Statement& statement : statements_) read_statement(statement);
    return std::move(rules_);
  }

 private:
  // A mention of a label in a sentence whose words are numbered.
  struct Mention {
    std::size_t label;
    std::size_t first_word;
    std::size_t end_word;
  };

  // A sentence with its words outside of quotes, where a label may stand in quotes.
  struct Sentence {
    std::string_view text;
    std::string lower;
    std::vector<Word> words;
    std::vector<Mention> mentions;

    bool names_one_label() const {
      return !mentions.empty() && std::all_of(mentions.begin(), mentions.end(),
                                              [&](const Mention& mention) { return mention.label == mentions.front().label; });
    }
  };

  void add_label(const std::string& name) {
    if (rules_.labels.size() >= max_labels || trim(name).empty()) return;
    if (ids_.try_emplace(lower_case(name), rules_.labels.size()).second) rules_.labels.push_back({name, {}, {}});
  }

  std::optional<std::size_t> exact_label(std::string_view text) const {
    const auto found = ids_.find(lower_case(label_in(text)));
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

  // Blanks out quoted text, so that words of a message are never taken for an instruction. Keeps positions.
  std::string masked(std::string_view text) const {
    std::string result(text);
    for (std::size_t open = result.find('"'); open != result.npos;) {
      const std::size_t close = result.find('"', open + 1);
      if (close == result.npos) break;
      const bool is_label = exact_label(text.substr(open, close - open + 1)).has_value();
      for (std::size_t i = open; i <= close; ++i) {
        if (!is_label || i == open || i == close) result[i] = ' ';
      }
      open = result.find('"', close + 1);
    }
    return result;
  }

  Sentence sentence_of(std::string_view text) const {
    const std::string outside_quotes = masked(text);
    Sentence sentence{text, lower_case(outside_quotes), words_of(outside_quotes), {}};
    for (const PhraseIndex::Hit& hit : label_index_.find(sentence.words)) {
      sentence.mentions.push_back({hit.ids->front(), hit.first_word, hit.first_word + hit.word_count});
    }
    return sentence;
  }

  void read_statement(const Statement& statement) {
    const Sentence sentence = sentence_of(statement.text);
    read_answer_format(sentence);
    if (read_item(statement)) return;
    open_label_.reset();
    const auto definition = as_definition(statement.text);
    if (definition && (read_definition(*definition) || read_brackets(*definition))) return;
    if (read_preference(sentence) || read_fallback(sentence)) return;
    read_condition(sentence);
  }

  // A bullet below a line that left something open: "billing:" or "Precedence:".
  bool read_item(const Statement& statement) {
    const std::optional<std::size_t> label = exact_label(statement.text);
    if (!statement.is_bullet) order_is_open_ = false;
    if (order_is_open_ && label) {
      if (last_in_order_) rules_.preferences.emplace_back(*last_in_order_, *label);
      last_in_order_ = label;
      return true;
    }
    if (!statement.is_bullet || !open_label_ || label || as_definition(statement.text)) return false;
    add_cues(*open_label_, statement.text, false);
    return true;
  }

  bool read_definition(const Definition& definition) {
    const std::optional<std::size_t> label = exact_label(definition.head);
    if (!label) return false;
    constexpr WordSet comparing("beats outranks over prefer preferred wins");
    const std::vector<Word> words = words_of(definition.tail);
    if (words.empty()) {
      open_label_ = label;
      return true;
    }
    if (comparing.contains(words.front().text)) return false;
    const std::string lower = lower_case(definition.tail);
    const bool is_rest = words.size() == 1 && contains_any(lower, {"otherwise", "default", "fallback", "rest"});
    if (is_rest ||
        contains_any(lower, {"everything else", "anything else", "all other", "any other", "none of", "other cases"})) {
      rules_.fallback = label;
      return true;
    }
    for (const std::string& item : list_items(definition.tail)) {
      const bool negative = lower_case(item).starts_with("not ") && !exact_label(item);
      add_cues(*label, negative ? std::string_view(item).substr(4) : item, negative);
    }
    return true;
  }

  // "Labels: bird (wing, feather), fish (fin)".
  bool read_brackets(const Definition& definition) {
    bool found = false;
    for (const std::string& item : list_items(definition.tail)) {
      const std::size_t open = item.find('(');
      const std::optional<std::size_t> label = open == item.npos ? std::nullopt : exact_label(item);
      if (label) add_cues(*label, std::string_view(item).substr(open + 1), false);
      found = found || label;
    }
    return found;
  }

  void add_cues(std::size_t label, std::string_view body, bool negative) {
    LabelRule& rule = rules_.labels[label];
    for (std::string& cue : cues_of(body)) (negative ? rule.non_cues : rule.cues).push_back(std::move(cue));
  }

  void read_answer_format(const Sentence& sentence) {
    constexpr WordSet answering("answer output reply respond response return write");
    constexpr WordSet only("exactly just only solely");
    const std::string& lower = sentence.lower;
    if (contains_any(lower,
                     {"label only", "only the label", "just the label", "label alone", "category only", "only the category",
                      "name only", "only the name", "one word", "single word", "nothing else", "nothing more", "no other text",
                      "no other word", "no explanation", "without explanation", "no further", "no sentence"})) {
      rules_.label_only = true;
    }
    for (std::size_t i = 0; i < sentence.words.size() && !rules_.label_only; ++i) {
      const bool restricts_condition = i + 1 < sentence.words.size() && connectors.contains(sentence.words[i + 1].text);
      rules_.label_only = only.contains(sentence.words[i].text) && !restricts_condition && has_any(sentence.words, answering);
    }
    if (contains_any(lower, {"lower case", "lowercase", "lower-case", "small letters"}))
      rules_.letter_case = Rules::LetterCase::lower;
    if (contains_any(lower, {"upper case", "uppercase", "upper-case", "capital letters"}))
      rules_.letter_case = Rules::LetterCase::upper;
  }

  bool read_preference(const Sentence& sentence) {
    constexpr WordSet comparing("above beat beats before outranks over precedence prefer preferred priority rather win wins");
    const bool compares = has_any(sentence.words, comparing) || sentence.text.find('>') != sentence.text.npos ||
                          contains_any(sentence.lower, {"this order", "the order", "following order", "in order",
                                                        "first in the list", "listed first"});
    if (!compares) return false;
    if (sentence.mentions.empty()) return read_order_without_labels(sentence);
    if (sentence.names_one_label()) return false;
    std::vector<std::size_t> order;
    for (const Mention& mention : sentence.mentions) order.push_back(mention.label);
    if (const auto winner = single_label_after_prefer(sentence))
      order = {*winner, order.front() == *winner ? order[1] : order.front()};
    for (std::size_t i = 0; i + 1 < order.size(); ++i) {
      if (order[i] != order[i + 1]) rules_.preferences.emplace_back(order[i], order[i + 1]);
    }
    return true;
  }

  // "If several labels apply, the first in the list wins", or "Precedence:" with the order in the bullets that follow.
  bool read_order_without_labels(const Sentence& sentence) {
    if (trim(sentence.text).ends_with(':')) {
      order_is_open_ = true;
      last_in_order_.reset();
      return true;
    }
    if (!contains_any(sentence.lower, {"first in the list", "listed first", "order of the list"})) return false;
    for (std::size_t i = 0; i + 1 < rules_.labels.size(); ++i) rules_.preferences.emplace_back(i, i + 1);
    return true;
  }

  // "If both billing and shipping apply, prefer billing" names the winner last.
  static std::optional<std::size_t> single_label_after_prefer(const Sentence& sentence) {
    const auto prefer = std::find_if(sentence.words.rbegin(), sentence.words.rend(), [](const Word& word) {
      return word.text == "prefer" || answer_verbs.contains(word.text);
    });
    if (prefer == sentence.words.rend()) return std::nullopt;
    const auto at = static_cast<std::size_t>(std::distance(prefer, sentence.words.rend())) - 1;
    const Mention& last = sentence.mentions.back();
    const bool is_single = last.first_word > at && sentence.mentions[sentence.mentions.size() - 2].first_word < at;
    return is_single ? std::optional(last.label) : std::nullopt;
  }

  bool read_fallback(const Sentence& sentence) {
    if (sentence.mentions.empty()) return false;
    constexpr WordSet signals("default doubt else fallback otherwise unclear unsure");
    const std::vector<Word>& words = sentence.words;
    bool found =
        contains_any(sentence.lower, {"not sure", "none of", "no cue", "no rule", "no label", "nothing matches", "nothing fits",
                                      "other cases", "all other", "any other", "if nothing", "if none", "in all others"});
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (!signals.contains(words[i].text) || (i > 0 && words[i - 1].text == "nothing")) continue;
      // "Otherwise, if …" begins another condition.
      const bool goes_on = i + 1 < words.size() && (words[i + 1].text == "if" || words[i + 1].text == "when");
      found = found || !goes_on;
    }
    if (found) rules_.fallback = sentence.mentions.back().label;
    return found;
  }

  // A rule about one label: either "<label> when <cues>" or "<cues>: <label>" in many wordings.
  void read_condition(const Sentence& sentence) {
    if (sentence.mentions.empty()) return;
    const Mention& first = sentence.mentions.front();
    const std::vector<Word>& words = sentence.words;
    if (first.end_word < words.size()) {
      const Word& next = words[first.end_word];
      const bool at_start = std::all_of(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(first.first_word),
                                        [](const Word& word) { return glue_words.contains(word.text); });
      if (connectors.contains(next.text) || (at_start && describing_verbs.contains(next.text))) {
        const bool negative = std::any_of(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(first.first_word),
                                          [](const Word& word) { return negations.contains(word.text); });
        add_cues(first.label, sentence.text.substr(next.end), negative);
        return;
      }
    }
    if (sentence.names_one_label()) read_condition_before_label(sentence, sentence.mentions.back());
  }

  // Walks back from the label over "…, then answer with the label …" to where the condition ends.
  void read_condition_before_label(const Sentence& sentence, const Mention& label) {
    std::size_t glue = label.first_word;
    bool has_verb = false;
    bool negative = false;
    for (; glue > 0; --glue) {
      const std::string& word = sentence.words[glue - 1].text;
      const bool is_verb = answer_verbs.contains(word) || cue_verbs.contains(word);
      const bool is_negation = negations.contains(word);
      if (!is_verb && !is_negation && !glue_words.contains(word)) break;
      has_verb = has_verb || is_verb;
      negative = negative || is_negation;
    }
    const std::size_t label_begin = sentence.words[label.first_word].begin;
    const std::size_t end = glue == 0 ? label_begin : sentence.words[glue].begin;
    const std::size_t arrow = sentence.text.substr(0, label_begin).rfind("->");
    if (arrow != std::string_view::npos) {
      add_cues(label.label, sentence.text.substr(0, arrow), negative);
    } else if (has_verb) {
      add_cues(label.label, sentence.text.substr(0, end), negative);
    }
  }

  const std::vector<Statement>& statements_;
  Rules rules_;
  std::unordered_map<std::string, std::size_t> ids_;  // by the label's name in lower case
  PhraseIndex label_index_;
  std::optional<std::size_t> open_label_;
  bool order_is_open_ = false;
  std::optional<std::size_t> last_in_order_;
};

}  // namespace

std::optional<std::size_t> Rules::find(std::string_view name) const {
  const std::string wanted = lower_case(trim(name));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (lower_case(labels[i].name) == wanted) return i;
  }
  return std::nullopt;
}

std::vector<bool> Rules::beaten_by(std::size_t winner) const {
  std::vector<std::vector<std::size_t>> losers(labels.size());
  for (const Preference& preference : preferences) losers[preference.first].push_back(preference.second);
  std::vector<bool> beaten(labels.size());
  std::vector<std::size_t> open = {winner};
  while (!open.empty()) {
    const std::size_t label = open.back();
    open.pop_back();
    for (const std::size_t loser : losers[label]) {
      if (beaten[loser]) continue;
      beaten[loser] = true;
      open.push_back(loser);
    }
  }
  return beaten;
}

Rules read_rules(std::string_view text, const std::vector<std::string>& known_labels) {
  const std::vector<Statement> statements = statements_of(text);
  return RuleReader(statements, known_labels).read();
}

std::string quotation(std::string_view text) {
  constexpr std::size_t longest = 70;
  std::string shown = tgd::detail::excerpt(trim(text), longest);
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  for (const std::string_view mark : {"“", "”"}) shown = replaced_all(std::move(shown), mark, "'");
  return "“" + shown + "”";
}

std::string without_quotations(std::string_view text) {
  constexpr std::string_view opening = "“";
  constexpr std::string_view closing = "”";
  std::string rest;
  while (!text.empty()) {
    const std::size_t open = std::min(text.find(opening), text.size());
    const std::size_t close = text.find(closing, open);
    rest += text.substr(0, close == text.npos ? text.size() : open);
    text.remove_prefix(close == text.npos ? text.size() : close + closing.size());
  }
  return rest;
}

std::vector<std::size_t> named_labels(const Rules& rules, std::string_view text) {
  PhraseIndex index;
  for (std::size_t i = 0; i < rules.labels.size(); ++i) index.add(rules.labels[i].name, i);
  const std::vector<Word> words = words_of(text);
  std::vector<std::size_t> labels;
  for (const PhraseIndex::Hit& hit : index.find(words)) labels.push_back(hit.ids->front());
  return labels;
}

std::vector<Match> match_cues(const Rules& rules, const std::vector<Word>& message) {
  PhraseIndex index;
  for (std::size_t i = 0; i < rules.labels.size(); ++i) {
    std::unordered_set<std::string> non_cues;
    for (const std::string& cue : rules.labels[i].non_cues) non_cues.insert(phrase_key(cue));
    for (const std::string& cue : rules.labels[i].cues) {
      if (!non_cues.contains(phrase_key(cue))) index.add(cue, i);
    }
  }
  std::vector<Match> matches(rules.labels.size());
  std::unordered_set<std::string> seen;
  for (const PhraseIndex::Hit& hit : index.find(message)) {
    std::string cue, key;
    for (std::size_t i = hit.first_word; i < hit.first_word + hit.word_count; ++i) {
      cue += (cue.empty() ? "" : " ") + message[i].text;
      key += message[i].stem + ' ';
    }
    if (!seen.insert(key).second) continue;
    for (const std::size_t label : *hit.ids) {
      Match& match = matches[label];
      if (match.cues.empty()) match.first_word = hit.first_word;
      match.label = label;
      match.cues.push_back(cue);
    }
  }
  std::erase_if(matches, [](const Match& match) { return match.cues.empty(); });
  return matches;
}

}  // namespace tgd::lm::detail
