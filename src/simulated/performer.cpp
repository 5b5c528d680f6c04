#include <algorithm>
#include <array>
#include <utility>

#include "core/text.hpp"
#include "simulated/abilities.hpp"
#include "simulated/reader.hpp"

namespace tgd::lm::detail {

namespace {

// How often a bare label comes although the prompt does not ask for one. Small models are wordy.
constexpr double terse_share = 0.85;

struct Task {
  Rules rules;
  std::string instructions;
  std::string message;
};

std::vector<std::string> paragraphs_of(std::string_view text) {
  std::vector<std::string> paragraphs;
  bool open = false;
  for (const std::string_view line : lines_of(text)) {
    const bool blank = tgd::detail::trim(line).empty();
    if (!blank && !open) paragraphs.emplace_back();
    if (!blank) paragraphs.back().append(paragraphs.back().empty() ? "" : "\n").append(line);
    open = !blank;
  }
  return paragraphs;
}

// Without a system prompt one message holds both, and what it asks about comes last.
Task split_task(std::string_view text) {
  std::vector<std::string> paragraphs = paragraphs_of(text);
  if (paragraphs.size() < 2) return {read_rules(text), std::string(text), std::string(text)};
  std::string message = std::move(paragraphs.back());
  paragraphs.pop_back();
  std::string instructions = tgd::detail::join(paragraphs, "\n\n");
  return {read_rules(instructions), std::move(instructions), std::move(message)};
}

Task task_of(const std::vector<Message>& messages) {
  std::string instructions;
  std::string message;
  for (const Message& part : messages) {
    if (part.role == "system" || part.role == "developer") instructions += part.content + "\n";
    if (part.role == "user") message = part.content;
  }
  if (instructions.empty()) return split_task(message);
  return {read_rules(instructions), std::move(instructions), std::move(message)};
}

// Labels that another matching label has precedence over are out. What two labels of a circle say of each other says nothing.
std::vector<Match> without_beaten(const Rules& rules, const std::vector<Match>& matches) {
  std::vector<bool> beaten(rules.labels.size());
  for (const Match& match : matches) {
    const std::vector<bool> losers = rules.beaten_by(match.label);
    for (std::size_t i = 0; i < losers.size(); ++i) beaten[i] = beaten[i] || losers[i];
  }
  std::vector<Match> rest;
  std::copy_if(matches.begin(), matches.end(), std::back_inserter(rest),
               [&](const Match& match) { return !beaten[match.label]; });
  return rest.empty() ? matches : rest;
}

// Without any cue: a label whose own name the message seems to mention, the default, or a guess that leans to the first label.
std::size_t guessed_label(const Rules& rules, const std::vector<Word>& message, const Dice& dice) {
  std::vector<std::vector<Word>> names;
  for (const LabelRule& label : rules.labels) names.push_back(words_of(label.name));
  for (const Word& word : message) {
    if (is_stop_word(word.text)) continue;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].size() == 1 && are_related(word.stem, names[i].front().stem)) return i;
    }
  }
  if (rules.fallback) return *rules.fallback;
  return dice.with("lean").share() < 0.5 ? 0 : dice.with("guess").below(rules.labels.size());
}

std::size_t chosen_label(const Rules& rules, const std::vector<Word>& message, const Dice& dice) {
  const std::vector<Match> matches = without_beaten(rules, match_cues(rules, message));
  if (matches.empty()) return guessed_label(rules, message, dice);
  // A prompt that does not say how to weigh the cues gets the one that is read first.
  const bool weighs = !rules.preferences.empty();
  const auto best = std::min_element(matches.begin(), matches.end(), [&](const Match& a, const Match& b) {
    if (weighs && a.cues.size() != b.cues.size()) return a.cues.size() > b.cues.size();
    return a.first_word < b.first_word;
  });
  return best->label;
}

std::string in_case(std::string label, Rules::LetterCase letter_case) {
  if (letter_case == Rules::LetterCase::lower) return lower_case(label);
  if (letter_case == Rules::LetterCase::upper) {
    std::transform(label.begin(), label.end(), label.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  }
  return label;
}

std::string wordy(const std::string& label, const Dice& dice) {
  const std::array<std::string, 4> sentences = {"This looks like " + label + ".", "I would say this is about " + label + ".",
                                                "The message is about " + label + ".", "Answer: " + label};
  return sentences[dice.with("words").below(sentences.size())];
}

// A prompt that asks for a label without naming any gets one made up from the message.
std::string invented_label(const std::vector<Word>& message) {
  std::string longest;
  for (const Word& word : message) {
    if (!is_stop_word(word.text) && word.text.size() > longest.size() && word.text.size() < 20) longest = word.text;
  }
  return longest.empty() ? "other" : longest;
}

bool asks_for_label(std::string_view instructions) {
  for (const Word& word : words_of(instructions)) {
    for (const std::string_view verb : {"classif", "categor", "label", "sort", "topic"}) {
      if (word.text.starts_with(verb)) return true;
    }
  }
  return false;
}

}  // namespace

std::string perform(const std::vector<Message>& messages, double slip_rate, const Dice& dice) {
  const Task task = task_of(messages);
  const Rules& rules = task.rules;
  const std::vector<Word> message = words_of(plain(task.message));
  if (rules.labels.empty()) {
    if (asks_for_label(task.instructions)) return invented_label(message);
    return message.empty() ? "How can I help you?" : "Thank you for your message. I will gladly help you with it.";
  }
  std::size_t label = chosen_label(rules, message, dice);
  if (rules.labels.size() > 1 && dice.with("slip").share() < slip_rate) {
    label = (label + 1 + dice.with("slips to").below(rules.labels.size() - 1)) % rules.labels.size();
  }
  const std::string answer = in_case(rules.labels[label].name, rules.letter_case);
  const bool terse = rules.label_only || dice.with("terse").share() < terse_share;
  return terse ? answer : wordy(answer, dice);
}

}  // namespace tgd::lm::detail
