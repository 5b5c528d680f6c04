#include "optim/answers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "core/brackets.hpp"
#include "core/number_text.hpp"
#include "core/text.hpp"
#include "lm/lenient_json.hpp"
#include "optim/reply/word_runs.hpp"

namespace tgd::optim::detail {

namespace {

using Value = nlohmann::ordered_json;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// A run of digits or letters.
struct Token {
  std::size_t begin;
  std::size_t end;
  bool is_number;
};

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  for (std::size_t at = 0; at < text.size();) {
    const bool is_number = is_digit(text[at]);
    if (!is_number && !is_letter(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && (is_number ? is_digit(text[at]) : is_letter(text[at]))) ++at;
    tokens.push_back({begin, at, is_number});
  }
  return tokens;
}

int month_of(std::string_view word) {
  constexpr std::array<std::string_view, 12> months = {"january", "february", "march",     "april",   "may",      "june",
                                                       "july",    "august",   "september", "october", "november", "december"};
  const std::string lower = tgd::detail::lower_case(word);
  if (lower.size() < 3) return 0;
  for (std::size_t month = 0; month < months.size(); ++month) {
    if (months[month] == lower || (lower.size() <= 4 && months[month].starts_with(lower))) return static_cast<int>(month) + 1;
  }
  return lower == "sept" ? 9 : 0;
}

int number_at(std::string_view text, const Token& token) {
  int number = 0;
  std::from_chars(text.data() + token.begin, text.data() + token.end, number);
  return number;
}

bool is_day(int number) { return number >= 1 && number <= 31; }
bool is_month(int number) { return number >= 1 && number <= 12; }

/// A date of three tokens in a row; endings of ordinal numbers are passed over.
std::optional<Date> date_at(std::string_view text, const std::vector<Token>& tokens, std::size_t first) {
  std::vector<Token> three;
  for (std::size_t i = first; i < tokens.size() && three.size() < 3; ++i) {
    const std::string_view word = text.substr(tokens[i].begin, tokens[i].end - tokens[i].begin);
    const bool is_ending =
        !tokens[i].is_number && !three.empty() && three.back().is_number && three.back().end == tokens[i].begin;
    if ((is_ending && word.size() == 2) || (!three.empty() && word == "of")) continue;
    if (!three.empty() && tokens[i].begin - three.back().end > 5) return std::nullopt;
    three.push_back(tokens[i]);
  }
  if (three.size() < 3) return std::nullopt;
  const auto word_at = [&](std::size_t i) { return text.substr(three[i].begin, three[i].end - three[i].begin); };
  const auto size = [&](std::size_t i) { return three[i].end - three[i].begin; };
  const auto dated = [&](int year, int month, int day) -> std::optional<Date> {
    if (!is_day(day) || !is_month(month)) return std::nullopt;
    return Date{year, month, day, three.front().begin, three.back().end};
  };
  const auto number = [&](std::size_t i) { return number_at(text, three[i]); };
  if (!three[0].is_number && three[1].is_number && three[2].is_number && size(2) == 4)
    return dated(number(2), month_of(word_at(0)), number(1));
  if (three[0].is_number && !three[1].is_number && three[2].is_number && size(2) == 4)
    return dated(number(2), month_of(word_at(1)), number(0));
  if (!three[0].is_number || !three[1].is_number || !three[2].is_number) return std::nullopt;
  // Digits alone are a date with one mark between them, not three numbers in a row.
  const std::string_view mark = text.substr(three[0].end, three[1].begin - three[0].end);
  if (mark != text.substr(three[1].end, three[2].begin - three[1].end) || (mark != "-" && mark != "/" && mark != "."))
    return std::nullopt;
  if (size(0) == 4 && size(1) <= 2 && size(2) <= 2) return dated(number(0), number(1), number(2));
  if (size(0) > 2 || size(1) > 2 || size(2) != 4) return std::nullopt;
  if (mark == "." || number(0) > 12) return dated(number(2), number(1), number(0));
  if (number(1) > 12) return dated(number(2), number(0), number(1));
  std::optional<Date> date = dated(number(2), std::min(number(0), number(1)), std::max(number(0), number(1)));
  if (date) date->is_ambiguous = number(0) != number(1);
  return date;
}

}  // namespace

std::optional<Data> number_of(std::string_view text) {
  const auto unit = tgd::detail::unit_of_amount(text);
  return unit && unit->empty() ? tgd::detail::last_number(text) : std::nullopt;
}

bool Date::is_same_day(const Date& other) const {
  if (year != other.year) return false;
  if (month == other.month && day == other.day) return true;
  return (is_ambiguous || other.is_ambiguous) && month == other.day && day == other.month;
}

std::vector<Date> dates_in(std::string_view text) {
  std::vector<Date> dates;
  const std::vector<Token> tokens = tokens_of(text);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    auto date = date_at(text, tokens, i);
    if (!date) continue;
    while (i + 1 < tokens.size() && tokens[i + 1].begin < date->end) ++i;
    dates.push_back(*std::move(date));
  }
  return dates;
}

std::string date_pattern(std::string_view text) {
  const std::vector<Date> dates = dates_in(text);
  const std::vector<Token> tokens = tokens_of(text);
  if (dates.size() != 1 || dates[0].begin != 0 || dates[0].end != text.size() || tokens.size() != 3 || dates[0].is_ambiguous)
    return {};
  std::string pattern;
  std::size_t at = 0;
  for (const Token& token : tokens) {
    if (!token.is_number) return {};
    pattern += text.substr(at, token.begin - at);
    at = token.end;
    const std::size_t size = token.end - token.begin;
    const int number = number_at(text, token);
    // Day and month are equal: by the usual order of the mark.
    const bool is_month =
        number == dates[0].month && (number != dates[0].day || pattern.size() == (pattern.starts_with("Y") ? 5 : 3));
    pattern += size == 4 ? "YYYY" : std::string(size, is_month ? 'M' : 'D');
  }
  return pattern;
}

std::string type_name(const Value& value) {
  switch (value.type()) {
    case Value::value_t::object:
      return "object";
    case Value::value_t::array:
      return "list";
    case Value::value_t::string:
      return "text";
    case Value::value_t::boolean:
      return "true or false";
    case Value::value_t::null:
    case Value::value_t::discarded:
    case Value::value_t::binary:
      return "null";
    case Value::value_t::number_integer:
    case Value::value_t::number_unsigned:
    case Value::value_t::number_float:
      break;
  }
  return "number";
}

std::optional<Value> json_of(std::string_view text) {
  text = tgd::detail::trim(text);
  if (text.empty() || (text.front() != '{' && text.front() != '[')) return std::nullopt;
  return lm::detail::parse_json<Value>(text);
}

bool is_same_value(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string())
    return tgd::detail::trim(a.get_ref<const std::string&>()) == tgd::detail::trim(b.get_ref<const std::string&>());
  return nlohmann::json(a) == nlohmann::json(b);
}

std::string list_text(const std::vector<std::string>& labels) {
  const bool has_commas =
      std::any_of(labels.begin(), labels.end(), [](const std::string& label) { return label.find(',') != std::string::npos; });
  std::vector<std::string> shown;
  for (const std::string& label : labels) shown.push_back(has_commas ? fmt::format("\"{}\"", label) : label);
  return tgd::detail::join(shown, ", ");
}

std::string keys_text(const AnswerForm& form, const Prompts& prompts) {
  std::vector<std::string> keys;
  for (const AnswerForm::Key& key : form.keys) {
    keys.push_back(
        prompts.render(key.is_always ? "tgd_facts_key" : "tgd_facts_optional_key", {{"key", key.name}, {"type", key.type}}));
  }
  return tgd::detail::join(keys, ", ");
}

std::vector<std::uint64_t> folded_words(std::string_view text) {
  std::vector<std::uint64_t> hashes;
  for (const Word& word : words_of(text)) hashes.push_back(word.hash);
  return hashes;
}

LabelFinder::LabelFinder(const std::vector<std::string>& labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) labels_.push_back({i, labels[i], folded_words(labels[i])});
  std::stable_sort(labels_.begin(), labels_.end(),
                   [](const Label& a, const Label& b) { return a.words.size() > b.words.size(); });
}

std::vector<std::size_t> LabelFinder::find(std::string_view text) const {
  const std::vector<std::uint64_t> words = folded_words(text);
  std::vector<bool> taken(words.size());
  std::vector<std::pair<std::size_t, std::size_t>> found;  // where, and which
  for (const Label& label : labels_) {
    if (label.words.empty()) {  // signs alone
      if (const std::size_t at = text.find(label.text); at != std::string_view::npos) found.emplace_back(at, label.number);
      continue;
    }
    for (auto at = words.begin();; ++at) {
      at = std::search(at, words.end(), label.words.begin(), label.words.end());
      if (at == words.end()) break;
      const auto begin = taken.begin() + (at - words.begin());
      const auto end = begin + static_cast<std::ptrdiff_t>(label.words.size());
      if (std::find(begin, end, true) != end) continue;
      std::fill(begin, end, true);
      found.emplace_back(static_cast<std::size_t>(at - words.begin()), label.number);
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<std::size_t> numbers;
  for (const auto& [at, number] : found) {
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace tgd::optim::detail
