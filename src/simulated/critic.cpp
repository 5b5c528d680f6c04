#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/text.hpp"
#include "simulated/abilities.hpp"
#include "simulated/reader.hpp"

namespace tgd::lm::detail {

namespace {

using tgd::detail::trim;

constexpr std::size_t max_cues_per_sample = 6;
constexpr std::size_t max_shown_samples = 32;

struct Failure {
  std::string message;
  std::vector<Word> words;
  std::string reply;
  std::string expected;
  std::string actual;
  std::string feedback;
};

std::string first_element(std::string_view text, std::string_view tag, std::string_view otherwise = {}) {
  const std::vector<std::string> found = elements(text, tag);
  return found.empty() ? std::string(otherwise) : found.front();
}

// What the user said last; a conversation without tags is taken as it is.
std::string user_message(std::string_view conversation) {
  std::vector<std::string> said = elements(conversation, "USER");
  std::string message = said.empty() ? without_elements(conversation, "SYSTEM") : said.back();
  return replaced_all(std::move(message), "[the value to criticise]", "");
}

std::vector<Failure> failures_in(std::string_view request) {
  std::vector<Failure> failures;
  std::vector<std::string> samples = elements(request, "SAMPLE");
  if (samples.empty()) samples.push_back(without_elements(request, "VALUE"));
  for (const std::string& sample : samples) {
    const std::string feedback = first_element(sample, "FEEDBACK");
    Failure failure;
    failure.message = user_message(first_element(sample, "CONVERSATION"));
    failure.words = words_of(plain(failure.message));
    failure.reply = first_element(sample, "REPLY");
    failure.expected = first_element(feedback, "EXPECTED");
    failure.actual = first_element(feedback, "ACTUAL", failure.reply);
    failure.feedback = feedback;
    failures.push_back(std::move(failure));
    if (failures.size() == max_shown_samples) break;
  }
  return failures;
}

// A word or a pair of neighbouring words that could be a cue.
struct Phrase {
  std::string key;
  std::string text;
  double weight;  // long words and pairs tell more
};

std::vector<Phrase> phrases_of(const std::vector<Word>& words) {
  std::vector<Phrase> phrases;
  std::set<std::string> seen;
  const auto tells = [](const Word& word) {
    return word.text.size() >= 3 && word.text.size() <= 24 && !is_stop_word(word.text) &&
           word.text.find_first_not_of("0123456789") != word.text.npos;
  };
  const auto add = [&](std::string key, std::string text, double weight) {
    if (seen.insert(key).second) phrases.push_back({std::move(key), std::move(text), weight});
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!tells(words[i])) continue;
    add(words[i].stem, words[i].text, std::min(1.0, 0.1 * static_cast<double>(words[i].text.size())));
    if (i + 1 == words.size() || !tells(words[i + 1])) continue;
    add(words[i].stem + ' ' + words[i + 1].stem, words[i].text + ' ' + words[i + 1].text, 0.5);
  }
  return phrases;
}

// Which phrases go with which expected label in the conversations shown.
class PhraseCounts {
 public:
  explicit PhraseCounts(const std::vector<Failure>& failures) {
    for (const Failure& failure : failures) {
      for (const Phrase& phrase : phrases_of(failure.words)) ++counts_[phrase.key][failure.expected];
    }
  }

  /// How much more a phrase goes with this label than with the others; 0 when it does not.
  double support(const std::string& key, const std::string& label) const {
    std::size_t others = 0;
    std::size_t own = 0;
    for (const auto& [candidate, count] : counts_.at(key)) (candidate == label ? own : others) += count;
    return std::max(0.0, static_cast<double>(own) - 0.5 * static_cast<double>(others));
  }

 private:
  std::unordered_map<std::string, std::map<std::string, std::size_t>> counts_;
};

std::string joined_quoted(const std::vector<std::string>& cues) {
  std::string text;
  for (std::size_t i = 0; i < cues.size(); ++i) {
    text += (i == 0 ? "\"" : i + 1 == cues.size() ? " or \"" : ", \"") + cues[i] + '"';
  }
  return text;
}

class Critic {
 public:
  Critic(std::string_view value, std::vector<Failure> failures)
      : rules_(read_rules(value)), failures_(std::move(failures)), counts_(failures_) {
    for (const LabelRule& label : rules_.labels) {
      for (const std::string& cue : label.cues) known_cues_.insert(phrase_key(cue));
    }
  }

  std::string critique() {
    for (const Failure& failure : failures_) {
      if (failure.expected.empty()) {
        say("Take this feedback into account: " + tgd::detail::excerpt(trim(failure.feedback), 300));
      } else if (failure.actual != failure.expected) {
        criticise_format(failure);
        criticise_choice(failure);
      }
    }
    criticise_fallback();
    return lines_.empty() ? "The conversations show nothing that the value should change." : lines_;
  }

 private:
  void say(const std::string& line) {
    if (said_.insert(line).second) lines_ += (lines_.empty() ? "" : "\n") + line;
  }

  void say_once(const std::string& topic, const std::string& line) {
    if (said_.insert(topic).second) say(line);
  }

  void criticise_format(const Failure& failure) {
    if (lower_case(failure.actual) == lower_case(failure.expected)) {
      const bool is_lower = failure.expected == lower_case(failure.expected);
      say_once("case", std::string("Write the label in ") + (is_lower ? "lower" : "upper") + " case, not as in " +
                           quotation(failure.actual) + ".");
      return;
    }
    if (!rules_.find(failure.expected)) say("Add the label \"" + failure.expected + "\" to the labels.");
    const bool is_bare =
        rules_.find(failure.actual).has_value() || words_of(failure.actual).size() <= words_of(failure.expected).size();
    if (is_bare || rules_.label_only) return;
    say_once("format", "Answer with the label only, with nothing else. A reply such as " + quotation(failure.actual) +
                           " cannot be accepted.");
  }

  void criticise_choice(const Failure& failure) {
    const std::optional<std::size_t> expected = rules_.find(failure.expected);
    const std::vector<std::size_t> named = named_labels(rules_, failure.actual);
    if (expected && !named.empty() && named.front() == *expected) return;
    const std::vector<Match> matches = match_cues(rules_, failure.words);
    const auto cues_for = [&](std::optional<std::size_t> label) {
      const auto found =
          std::find_if(matches.begin(), matches.end(), [&](const Match& match) { return label && match.label == *label; });
      return found == matches.end() ? std::vector<std::string>{} : found->cues;
    };
    const std::vector<std::string> right = cues_for(expected);
    const std::vector<std::string> wrong = named.empty() ? std::vector<std::string>{} : cues_for(named.front());
    const bool both = !right.empty() && !wrong.empty();
    if (both) prefer_expected(failure, named.front(), right.front(), wrong.front());
    // Where the value itself prefers the wrong label, its order or its cues may be to blame: both are named.
    if (!both || rules_.beaten_by(named.front())[*expected]) {
      suggest_cues(failure);
      if (!wrong.empty()) blame_cues(failure, named.front(), wrong);
    }
    if (matches.empty()) ++without_cues_[failure.expected];
  }

  void prefer_expected(const Failure& failure, std::size_t wrong_label, const std::string& right_cue,
                       const std::string& wrong_cue) {
    say("Prefer " + failure.expected + " over " + rules_.labels[wrong_label].name + " where both have cues (here " +
        quotation(right_cue) + " and " + quotation(wrong_cue) + "), as in " + quotation(failure.message) + ".");
  }

  void blame_cues(const Failure& failure, std::size_t wrong_label, const std::vector<std::string>& cues) {
    say("Do not choose " + rules_.labels[wrong_label].name + " because of " + joined_quoted(cues) + " alone, as in " +
        quotation(failure.message) + ".");
  }

  void suggest_cues(const Failure& failure) {
    std::vector<std::pair<double, std::string>> ranked;
    for (const Phrase& phrase : phrases_of(failure.words)) {
      const double support = counts_.support(phrase.key, failure.expected);
      if (support > 0 && !known_cues_.contains(phrase.key)) ranked.emplace_back(-support * phrase.weight, phrase.text);
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> cues;
    for (const auto& [rank, cue] : ranked) {
      if (cues.size() < max_cues_per_sample) cues.push_back(cue);
    }
    if (cues.empty()) return;
    say("Choose " + failure.expected + " when the message mentions " + joined_quoted(cues) + ", as in " +
        quotation(failure.message) + ".");
  }

  void criticise_fallback() {
    if (rules_.fallback || known_cues_.empty() || without_cues_.empty()) return;
    const auto most = std::max_element(without_cues_.begin(), without_cues_.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most->second >= 2) say("Otherwise answer " + most->first + ".");
  }

  Rules rules_;
  std::vector<Failure> failures_;
  PhraseCounts counts_;
  std::set<std::string> known_cues_;
  std::map<std::string, std::size_t> without_cues_;
  std::set<std::string> said_;
  std::string lines_;
};

}  // namespace

std::string criticise(std::string_view request) {
  return Critic(first_element(request, "VALUE"), failures_in(request)).critique();
}

}  // namespace tgd::lm::detail
