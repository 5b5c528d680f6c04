#include "simulated/constraints.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "core/number_of_text.hpp"
#include "core/text.hpp"
#include "simulated/text.hpp"

namespace tgd::lm::detail {

namespace {

using tgd::detail::trim;

bool is_prohibition(std::string_view lower) {
  return contains_any(lower,
                      {"do not", "don't", "must not", "may not", "should not", "never", "avoid", "forbid", "not allowed"});
}

bool is_loss(std::string_view lower) {
  return contains_any(lower, {"does not", "doesn't", "lacks", "lost", "missing", "misses", "no longer", "must", "keep"});
}

// What a constraint is about: its quoted parts and placeholders, else the words behind its verb.
std::vector<std::string> subjects_of(std::string_view text, const std::string& lower) {
  std::vector<std::string> subjects = quoted_parts(text);
  for (std::string& placeholder : placeholders_in(text)) subjects.push_back(std::move(placeholder));
  if (!subjects.empty()) return subjects;
  for (const std::string_view verb : {"text: ", "mention ", "contain ", "include ", "use the word ", "say "}) {
    const std::size_t at = lower.find(verb);
    if (at == lower.npos) continue;
    const std::string_view rest = text.substr(at + verb.size());
    subjects.emplace_back(trim(rest.substr(0, rest.find_first_of(".,;\n"))));
    break;
  }
  return subjects;
}

// Constraints with more parts than this come from no person.
void append(std::vector<std::string>& list, std::vector<std::string> subjects) {
  constexpr std::size_t longest_list = 32;
  for (std::string& subject : subjects) {
    const bool is_known = std::find(list.begin(), list.end(), subject) != list.end();
    if (list.size() < longest_list && !is_known) list.push_back(std::move(subject));
  }
}

std::string without(std::string text, const std::string& forbidden) {
  const std::string lower = lower_case(text);
  const std::string wanted = lower_case(forbidden);
  if (wanted.empty()) return text;
  std::string result;
  std::size_t at = 0;
  for (std::size_t found = lower.find(wanted); found != lower.npos; found = lower.find(wanted, at)) {
    result.append(text, at, found - at);
    at = found + wanted.size();
  }
  return result.append(text, at);
}

}  // namespace

void Constraints::add(std::string_view constraint) {
  const std::string ascii = plain(constraint);
  const std::string lower = lower_case(ascii);
  add_limits(lower);
  std::vector<std::string> subjects = subjects_of(ascii, lower);
  if (is_prohibition(lower)) {
    append(forbidden, std::move(subjects));
  } else if (lower.starts_with("answer ") || lower.starts_with("reply ") || lower.starts_with("respond ")) {
    append(instructions, {std::string(trim(constraint))});
  } else if (contains_any(lower, {"contain", "include", "keep", "mention", "placeholder", "preserve"})) {
    append(required, std::move(subjects));
  }
}

void Constraints::add_complaint(std::string_view complaint, std::size_t reply_size) {
  const std::string ascii = plain(complaint);
  const std::string lower = lower_case(ascii);
  add_limits(lower);
  std::vector<std::string> subjects = quoted_parts(ascii);
  for (std::string& placeholder : placeholders_in(ascii)) subjects.push_back(std::move(placeholder));
  const bool forbids = is_prohibition(lower) || !is_loss(lower);
  std::vector<std::string>& list = forbids ? forbidden : required;
  if (contains_any(lower, {"contain", "mention", "include", "placeholder", "forbid", "lacks", "missing", "keep"})) {
    append(list, std::move(subjects));
  }
  if (!max_characters && contains_any(lower, {"too long", "more concise", "shorter"})) max_characters = reply_size * 3 / 4;
}

// "at most 1500 characters", "no longer than 80 words", "1720 characters long, at most 1500 are allowed".
void Constraints::add_limits(std::string_view text) {
  constexpr std::array<std::string_view, 9> limiting = {"most", "than",   "exceed", "under", "maximum",
                                                        "max",  "within", "limit",  "below"};
  const std::vector<Word> words = words_of(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto number = tgd::detail::number_of_text<std::size_t>(words[i].text);
    if (!number) continue;
    const std::size_t from = i < 3 ? 0 : i - 3;
    const bool limits = std::any_of(
        words.begin() + static_cast<std::ptrdiff_t>(from), words.begin() + static_cast<std::ptrdiff_t>(i),
        [&](const Word& before) { return std::find(limiting.begin(), limiting.end(), before.text) != limiting.end(); });
    if (!limits) continue;
    const bool counts_words = i + 1 < words.size() && words[i + 1].text.starts_with("word");
    std::optional<std::size_t>& limit = counts_words ? max_words : max_characters;
    limit = std::min(limit.value_or(*number), *number);
  }
}

bool Constraints::is_too_long(std::string_view text) const {
  return (max_characters && tgd::detail::count_characters(text) > *max_characters) ||
         (max_words && words_of(text).size() > *max_words);
}

std::string Constraints::applied_to(std::string text) const {
  for (const std::string& part : forbidden) text = without(std::move(text), part);
  for (const std::vector<std::string>& parts : {required, instructions}) {
    for (const std::string& part : parts) {
      if (text.find(part) == text.npos) text += "\n" + part;
    }
  }
  return text;
}

std::vector<std::string> placeholders_in(std::string_view text) {
  std::vector<std::string> placeholders;
  for (std::size_t open = text.find('{'); open != text.npos; open = text.find('{', open + 1)) {
    std::size_t end = open + 1;
    const auto is_name = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    while (end < text.size() && is_name(text[end])) ++end;
    if (end > open + 1 && end < text.size() && text[end] == '}') placeholders.emplace_back(text.substr(open, end + 1 - open));
  }
  return placeholders;
}

}  // namespace tgd::lm::detail
