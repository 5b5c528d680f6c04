#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/text.hpp"
#include "simulated/abilities.hpp"
#include "simulated/constraints.hpp"
#include "simulated/reader.hpp"

namespace tgd::lm::detail {

namespace {

using tgd::detail::trim;
using LetterCase = Rules::LetterCase;

constexpr std::string_view section_header = "Rules for choosing the label:";

// One remark about a cue may be an accident; two are evidence.
constexpr int enough_votes = 2;
// Who is asked to be careful wants more of it, who is asked to be free takes the first remark.
constexpr int enough_votes_for_the_careful = 3;
constexpr int enough_votes_for_the_bold = 1;
// What the value says about two labels takes more than one remark to be turned round.
constexpr int weight_of_written_order = 1;
constexpr std::size_t max_cues_per_label = 40;

// ---- Evidence: what the feedback says, counted -----------------------------------------------------------------------

// How often each cue was named, and for which labels.
class Ballot {
 public:
  struct Votes {
    std::string cue;
    std::map<std::size_t, int> by_label;
  };

  void add(const std::string& cue, std::size_t label) {
    const auto [place, is_new] = places_.try_emplace(phrase_key(cue), votes_.size());
    if (is_new) votes_.push_back({cue, {}});
    ++votes_[place->second].by_label[label];
  }

  int count(const std::string& cue, std::size_t label) const {
    const auto place = places_.find(phrase_key(cue));
    if (place == places_.end()) return 0;
    const auto votes = votes_[place->second].by_label.find(label);
    return votes == votes_[place->second].by_label.end() ? 0 : votes->second;
  }

  /// In the order in which the cues were first named.
  const std::vector<Votes>& all() const { return votes_; }

 private:
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<Votes> votes_;
};

struct Evidence {
  std::vector<std::string> labels;  // of the value, then those that the feedback adds; all rules below use their positions
  Ballot cues;
  Ballot misleading;
  std::map<Rules::Preference, int> preferences;
  std::map<std::size_t, int> fallbacks;
  bool label_only = false;
  LetterCase letter_case = LetterCase::as_listed;

  void add(std::string_view feedback) {
    std::string text = without_quotations(feedback);
    for (const std::string_view tag : {"<ITEM>", "</ITEM>"}) text = replaced_all(std::move(text), tag, "\n");
    const Rules rules = read_rules(text, labels);
    for (std::size_t i = 0; i < rules.labels.size(); ++i) {
      if (i >= labels.size()) labels.push_back(rules.labels[i].name);
      for (const std::string& cue : rules.labels[i].cues) cues.add(cue, i);
      for (const std::string& cue : rules.labels[i].non_cues) misleading.add(cue, i);
    }
    for (const Rules::Preference& preference : rules.preferences) ++preferences[preference];
    if (rules.fallback) ++fallbacks[*rules.fallback];
    label_only = label_only || rules.label_only;
    if (rules.letter_case != LetterCase::as_listed) letter_case = rules.letter_case;
  }

  bool says_nothing() const {
    return cues.all().empty() && misleading.all().empty() && preferences.empty() && fallbacks.empty() && !label_only &&
           letter_case == LetterCase::as_listed;
  }
};

// ---- The value and its section of rules ------------------------------------------------------------------------------

struct Value {
  std::string before;   // the user's own text
  std::string section;  // what earlier rewrites wrote, without the header
  std::string after;
};

bool is_rule_line(std::string_view line) {
  for (const std::string_view start :
       {"Labels: ", "- ", "Do not choose ", "If several apply, ", "Otherwise answer ", "Answer with the "}) {
    if (line.starts_with(start)) return true;
  }
  return false;
}

Value split_value(std::string_view text) {
  Value value;
  std::string* part = &value.before;
  for (const std::string_view line : lines_of(text)) {
    if (part == &value.before && line == section_header) {
      part = &value.section;
      continue;
    }
    if (part == &value.section && !is_rule_line(line)) part = &value.after;
    part->append(line).append("\n");
  }
  return value;
}

// What the section is to say. Labels, and positions of labels, are those of the evidence.
struct Section {
  bool lists_labels = false;
  Rules rules;
};

std::string listed_name(const std::string& label) { return list_items(label).size() == 1 ? label : "\"" + label + "\""; }

std::string text_of(const Section& section) {
  const std::vector<LabelRule>& labels = section.rules.labels;
  std::vector<std::string> names;
  for (const LabelRule& label : labels) names.push_back(listed_name(label.name));
  std::string text;
  const auto add_line = [&](const std::string& line) { text += line + "\n"; };

  if (section.lists_labels) add_line("Labels: " + tgd::detail::join(names, ", "));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!labels[i].cues.empty()) add_line("- " + names[i] + ": " + tgd::detail::join(labels[i].cues, ", "));
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].non_cues.empty()) continue;
    add_line("Do not choose " + names[i] + " because of \"" + tgd::detail::join(labels[i].non_cues, "\", \"") + "\".");
  }
  if (!section.rules.preferences.empty()) {
    std::string order = names[section.rules.preferences.front().first];
    for (const Rules::Preference& preference : section.rules.preferences) order += " over " + names[preference.second];
    add_line("If several apply, prefer " + order + ".");
  }
  if (section.rules.fallback) add_line("Otherwise answer " + names[*section.rules.fallback] + ".");
  if (section.rules.label_only) add_line("Answer with the label only.");
  if (section.rules.letter_case == LetterCase::lower) add_line("Answer with the label in lower case.");
  if (section.rules.letter_case == LetterCase::upper) add_line("Answer with the label in upper case.");
  return text;
}

bool contains_cue(const std::vector<std::string>& cues, const std::string& cue) {
  const std::string key = phrase_key(cue);
  return std::any_of(cues.begin(), cues.end(), [&](const std::string& other) { return phrase_key(other) == key; });
}

// ---- Experience: what came of earlier proposals, and how bold an edit may be ----------------------------------------------

struct Experience {
  int enough_votes = detail::enough_votes;
  Ballot rejected_cues;
  std::map<Rules::Preference, int> rejected_preferences;

  // Whatever a rejected value has beyond the present one may be why it was rejected.
  void add_rejected(std::string_view rejected, const Rules& present, const std::vector<std::string>& labels) {
    const Rules rules = read_rules(rejected, labels);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      for (const std::string& cue : rules.labels[i].cues) {
        if (!contains_cue(present.labels[i].cues, cue)) rejected_cues.add(cue, i);
      }
    }
    for (std::size_t winner = 0; winner < labels.size(); ++winner) {
      const std::vector<bool> had = present.beaten_by(winner);
      const std::vector<bool> has = rules.beaten_by(winner);
      for (std::size_t loser = 0; loser < labels.size(); ++loser) {
        if (has[loser] && !had[loser] && loser != winner) ++rejected_preferences[{winner, loser}];
      }
    }
  }

  void add_boldness(std::string_view instructions) {
    if (instructions.find("as little as possible") != std::string_view::npos) enough_votes = enough_votes_for_the_careful;
    if (instructions.find("Rewrite freely") != std::string_view::npos) enough_votes = enough_votes_for_the_bold;
  }
};

// ---- Revision --------------------------------------------------------------------------------------------------------

class Revision {
 public:
  Revision(const Value& value, const Evidence& evidence, const Experience& experience)
      : evidence_(evidence),
        experience_(experience),
        own_(read_rules(value.before + value.after, evidence.labels)),
        written_(read_rules(value.section, evidence.labels)) {
    section_.rules.labels.resize(evidence.labels.size());
    for (std::size_t i = 0; i < evidence.labels.size(); ++i) section_.rules.labels[i].name = evidence.labels[i];
    revise_label_list(value.before + value.after);
    revise_cues();
    revise_order();
    revise_fallback();
    section_.rules.label_only = !own_.label_only && (written_.label_only || evidence.label_only);
    if (own_.letter_case == LetterCase::as_listed) {
      section_.rules.letter_case = evidence.letter_case == LetterCase::as_listed ? written_.letter_case : evidence.letter_case;
    }
  }

  const Section& section() const { return section_; }

 private:
  void revise_label_list(const std::string& own_text) {
    const Rules listed = read_rules(own_text);
    section_.lists_labels = std::any_of(evidence_.labels.begin(), evidence_.labels.end(),
                                        [&](const std::string& label) { return !listed.find(label).has_value(); });
  }

  // A cue that was in one rejected proposal may be innocent; in several it wants new evidence each time.
  int votes_wanted(const std::string& cue, std::size_t label) const {
    return experience_.enough_votes + std::max(0, experience_.rejected_cues.count(cue, label) - 1);
  }

  // Misleading in more conversations than those in which it was found to help.
  bool is_misleading(const std::string& cue, std::size_t label) const {
    const int against = evidence_.misleading.count(cue, label);
    return against >= enough_votes && against > evidence_.cues.count(cue, label);
  }

  void revise_cues() {
    for (std::size_t i = 0; i < evidence_.labels.size(); ++i) {
      LabelRule& rule = section_.rules.labels[i];
      rule.non_cues = written_.labels[i].non_cues;
      for (const std::string& cue : written_.labels[i].cues) {
        if (!is_misleading(cue, i)) rule.cues.push_back(cue);
      }
      for (const std::string& cue : own_.labels[i].cues) {
        if (is_misleading(cue, i) && !contains_cue(rule.non_cues, cue)) rule.non_cues.push_back(cue);
      }
    }
    for (const Ballot::Votes& votes : evidence_.cues.all()) add_cue(votes);
  }

  // A cue goes to the label that it is mostly named for; one named for two labels about as often helps neither.
  void add_cue(const Ballot::Votes& votes) {
    std::size_t label = 0;
    int most = 0;
    int others = 0;
    for (const auto& [candidate, count] : votes.by_label) {
      others += count > most ? most : count;
      if (count > most) {
        label = candidate;
        most = count;
      }
    }
    if (most < votes_wanted(votes.cue, label) || most < 2 * others || is_misleading(votes.cue, label)) return;
    for (std::size_t i = 0; i < section_.rules.labels.size(); ++i) {
      if (contains_cue(section_.rules.labels[i].cues, votes.cue) || contains_cue(own_.labels[i].cues, votes.cue)) return;
    }
    std::vector<std::string>& cues = section_.rules.labels[label].cues;
    if (cues.size() < max_cues_per_label) cues.push_back(votes.cue);
  }

  // Puts the labels that were compared into one order: first the one that wins against the most others.
  void revise_order() {
    std::map<Rules::Preference, int> balance;
    const auto count = [&](std::size_t winner, std::size_t loser, int votes) {
      balance[{winner, loser}] += votes;
      balance[{loser, winner}] -= votes;
    };
    for (const Rules* rules : {&own_, &written_}) {
      if (rules->preferences.empty()) continue;
      for (std::size_t winner = 0; winner < evidence_.labels.size(); ++winner) {
        const std::vector<bool> beaten = rules->beaten_by(winner);
        for (std::size_t loser = 0; loser < evidence_.labels.size(); ++loser) {
          if (beaten[loser] && loser != winner) count(winner, loser, weight_of_written_order);
        }
      }
    }
    for (const auto& [preference, votes] : evidence_.preferences) count(preference.first, preference.second, votes);
    for (const auto& [preference, votes] : experience_.rejected_preferences) count(preference.first, preference.second, -votes);

    std::map<std::size_t, int> wins;
    for (const auto& [pair, votes] : balance) wins[pair.first] += votes > 0 ? 1 : votes < 0 ? -1 : 0;
    std::vector<std::pair<int, std::size_t>> order;
    for (const auto& [label, won] : wins) order.emplace_back(-won, label);
    std::sort(order.begin(), order.end());
    if (evidence_.preferences.empty() && written_.preferences.empty()) return;
    for (std::size_t i = 0; i + 1 < order.size(); ++i)
      section_.rules.preferences.emplace_back(order[i].second, order[i + 1].second);
  }

  void revise_fallback() {
    if (own_.fallback) return;
    section_.rules.fallback = written_.fallback;
    const auto most = std::max_element(evidence_.fallbacks.begin(), evidence_.fallbacks.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != evidence_.fallbacks.end()) section_.rules.fallback = most->first;
  }

  const Evidence& evidence_;
  const Experience& experience_;
  Rules own_;
  Rules written_;
  Section section_;
};

// ---- The improved value ----------------------------------------------------------------------------------------------

std::string assembled(const Value& value, const Section& section) {
  const std::string rules = text_of(section);
  const std::string block = rules.empty() ? "" : std::string(section_header) + "\n" + rules;
  const std::string before(trim(value.before));
  const std::string after(trim(value.after));
  // What fills a placeholder comes last, so that it is not taken for a part of the rules.
  const bool rules_first = value.section.empty() && !placeholders_in(before).empty();
  std::vector<std::string> parts = rules_first ? std::vector{block, before, after} : std::vector{before, block, after};
  std::string text;
  for (const std::string& part : parts) {
    const std::string_view trimmed = trim(part);
    if (!trimmed.empty()) text.append(text.empty() ? "" : "\n\n").append(trimmed);
  }
  return text;
}

// Takes out the latest cue of the label that has the most. False when there is none left.
bool drop_a_cue(Section& section) {
  std::vector<LabelRule>& labels = section.rules.labels;
  const auto longest = std::max_element(labels.begin(), labels.end(),
                                        [](const LabelRule& a, const LabelRule& b) { return a.cues.size() < b.cues.size(); });
  if (longest == labels.end() || longest->cues.empty()) return false;
  longest->cues.pop_back();
  return true;
}

// Whole words from the front, as many as the limits allow. A text whose placeholders would suffer stays as it is.
std::string cut_to_fit(const std::string& text, const Constraints& constraints) {
  std::string_view shorter = text;
  if (constraints.max_characters) shorter = tgd::detail::first_characters(shorter, *constraints.max_characters);
  if (constraints.max_words) {
    const std::vector<Word> words = words_of(shorter);
    if (words.size() > *constraints.max_words) shorter = shorter.substr(0, words[*constraints.max_words].begin);
  }
  if (shorter.size() < text.size()) shorter = trim(shorter.substr(0, shorter.find_last_of(" \n") + 1));
  return placeholders_in(shorter) == placeholders_in(text) && !shorter.empty() ? std::string(shorter) : text;
}

std::string fitted(const Value& value, Section section, const Constraints& constraints) {
  std::string text = constraints.applied_to(assembled(value, section));
  for (bool drops = true; drops && constraints.is_too_long(text);) {
    // Few at a time, but not one by one out of thousands.
    std::size_t count = 0;
    for (const LabelRule& label : section.rules.labels) count += label.cues.size();
    for (std::size_t i = 0; drops && i <= count / 64; ++i) drops = drop_a_cue(section);
    text = constraints.applied_to(assembled(value, section));
  }
  return constraints.is_too_long(text) ? cut_to_fit(text, constraints) : text;
}

// The items of a list in tags or with one item a line, numbered or not.
std::vector<std::string> items_of(std::string_view block) {
  std::vector<std::string> items = elements(block, "ITEM");
  if (!items.empty()) return items;
  for (const std::string_view line : lines_of(block)) {
    const std::size_t begin = std::min(line.find_first_not_of(" -*.0123456789"), line.size());
    if (begin < line.size()) items.emplace_back(trim(line.substr(begin)));
  }
  return items;
}

// The request, which is the first user message with the value, and the constraints. Later user messages complain about a reply.
struct Order {
  std::string request;
  Constraints constraints;
};

Order order_of(const std::vector<Message>& messages) {
  Order order;
  std::size_t reply_size = 0;
  for (const Message& message : messages) {
    if (message.role == "assistant") reply_size = message.content.size();
    if (reply_size == 0) {
      order.request += message.content + "\n";
    } else if (message.role == "user") {
      order.constraints.add_complaint(message.content, reply_size);
    }
  }
  for (const std::string& block : elements(order.request, "CONSTRAINTS")) {
    for (const std::string& item : items_of(block)) order.constraints.add(item);
  }
  return order;
}

// Feedback that states no rule is noted in its own words.
void note(Value& value, std::string_view feedback) {
  if (trim(feedback).empty()) return;
  const std::string remark = tgd::detail::excerpt(trim(lines_of(trim(feedback)).front()), 160);
  if (value.before.find(remark) == std::string::npos) value.before += remark + "\n";
}

}  // namespace

std::string rewrite(const std::vector<Message>& messages, std::string_view tag) {
  const Order order = order_of(messages);
  const std::vector<std::string> values = elements(order.request, "VALUE");
  const std::string original = values.empty() ? std::string() : values.front();
  Value value = split_value(original);

  Evidence evidence;
  for (const LabelRule& label : read_rules(original).labels) evidence.labels.push_back(label.name);
  std::string present = order.request;
  for (const std::string_view other : {"VALUE", "EARLIER_VERSIONS", "REJECTED_PROPOSALS", "OTHER_VALUES", "EXAMPLES"}) {
    present = without_elements(present, other);
  }
  const std::vector<std::string> feedback = elements(present, "FEEDBACK");
  for (const std::string& item : feedback) evidence.add(item);
  if (!feedback.empty() && evidence.says_nothing()) note(value, feedback.front());
  // What was said of earlier versions backs what is said now, but is no reason to change anything by itself.
  if (!feedback.empty()) {
    for (const std::string& item : elements(order.request, "PAST_FEEDBACK")) evidence.add(item);
  }

  Experience experience;
  experience.add_boldness(without_elements(present, "FEEDBACK"));
  const Rules rules = read_rules(original, evidence.labels);
  for (const std::string& rejected : elements(order.request, "REJECTED_VALUE")) {
    experience.add_rejected(rejected, rules, evidence.labels);
  }
  const std::string improved = fitted(value, Revision(value, evidence, experience).section(), order.constraints);
  return "<" + std::string(tag) + ">\n" + improved + "\n</" + std::string(tag) + ">";
}

}  // namespace tgd::lm::detail
