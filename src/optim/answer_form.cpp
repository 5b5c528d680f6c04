#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "core/fold.hpp"
#include "core/text.hpp"
#include "optim/answers.hpp"

namespace tgd::optim {

namespace {

using FormKind = AnswerForm::Kind;
using Value = nlohmann::ordered_json;

// Of what comes again and again.
constexpr std::size_t most_labels = 60;
constexpr std::size_t longest_label = 60;  // characters
constexpr std::size_t most_words_of_label = 6;
constexpr std::size_t most_numbers_as_labels = 3;

std::size_t word_count(std::string_view text) { return detail::folded_words(text).size(); }

/// In alphabetical order; none where answers are not told to come again.
std::vector<std::string> labels_of(std::span<const std::string> answers) {
  const std::set<std::string> different(answers.begin(), answers.end());
  const bool is_closed = different.size() >= 2 && different.size() <= most_labels && answers.size() >= 2 * different.size();
  const auto is_label = [](const std::string& answer) {
    return answer.find('\n') == std::string::npos && tgd::detail::count_characters(answer) <= longest_label &&
           word_count(answer) <= most_words_of_label;
  };
  if (!is_closed || !std::all_of(different.begin(), different.end(), is_label)) return {};
  return {different.begin(), different.end()};
}

void add_type(std::string& types, const std::string& type) {
  if ((" or " + types + " or ").find(" or " + type + " or ") == std::string::npos)
    types += (types.empty() ? "" : " or ") + type;
}

/// False where the answers are no objects, nor lists.
bool describe_json(std::span<const std::string> answers, AnswerForm& form) {
  std::vector<Value> values;
  for (const std::string& answer : answers) {
    auto value = detail::json_of(answer);
    if (!value || value->is_object() != (values.empty() ? value->is_object() : values.front().is_object())) return false;
    values.push_back(*std::move(value));
  }
  form.kind = FormKind::json;
  form.is_list = values.front().is_array();
  if (form.is_list) return true;
  std::map<std::string, std::size_t> counts;
  for (const Value& object : values) {
    for (const auto& member : object.items()) {
      auto known = std::find_if(form.keys.begin(), form.keys.end(), [&](const auto& key) { return key.name == member.key(); });
      if (known == form.keys.end()) known = form.keys.insert(known, {member.key(), {}});
      add_type(known->type, detail::type_name(member.value()));
      ++counts[member.key()];
    }
  }
  for (AnswerForm::Key& key : form.keys) key.is_always = counts[key.name] == values.size();
  return true;
}

std::string common_date_pattern(std::span<const std::string> answers) {
  const std::string pattern = detail::date_pattern(answers.front());
  std::string common = pattern;
  for (const std::string& answer : answers) {
    const std::string other = detail::date_pattern(answer);
    if (common.empty()) common = other;  // of one in which day and month cannot be told apart
    if (!other.empty() && other != common) return {};
  }
  return common;
}

bool is_date(const std::string& answer) {
  const std::vector<detail::Date> dates = detail::dates_in(answer);
  return dates.size() == 1 && dates[0].begin == 0 && dates[0].end == answer.size();
}

}  // namespace

std::string_view to_string(AnswerForm::Kind kind) {
  switch (kind) {
    case FormKind::unknown:
      return "unknown";
    case FormKind::labels:
      return "labels";
    case FormKind::number:
      return "number";
    case FormKind::date:
      return "date";
    case FormKind::json:
      return "json";
    case FormKind::text:
      return "text";
  }
  return "";
}

AnswerForm form_of(std::span<const std::string> given) {
  AnswerForm form{.answers = given.size()};
  std::vector<std::string> answers;
  for (const std::string& answer : given) {
    if (const std::string_view text = tgd::detail::trim(answer); !text.empty()) answers.emplace_back(text);
  }
  if (answers.size() < 2) return form;
  const auto all = [&](auto holds) { return std::all_of(answers.begin(), answers.end(), holds); };
  form.is_lower_case = all([](const std::string& answer) { return !tgd::detail::has_upper_case(answer); });
  form.is_one_line = all([](const std::string& answer) { return answer.find('\n') == std::string::npos; });
  for (const std::string& answer : answers) form.most_words = std::max(form.most_words, word_count(answer));
  form.example = *std::min_element(answers.begin(), answers.end(),
                                   [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
  if (describe_json(answers, form)) return form;
  std::vector<std::string> labels = labels_of(answers);
  const bool is_number = all([](const std::string& answer) { return detail::number_of(answer).has_value(); });
  if (is_number && (labels.empty() || labels.size() > most_numbers_as_labels)) {
    form.kind = FormKind::number;
    form.is_whole = all([](const std::string& answer) { return detail::number_of(answer)->kind() == Data::Kind::integer; });
  } else if (!labels.empty()) {
    form.kind = FormKind::labels;
    form.labels = std::move(labels);
  } else if (all(is_date)) {
    form.kind = FormKind::date;
    form.date_pattern = common_date_pattern(answers);
  } else {
    form.kind = FormKind::text;
  }
  return form;
}

}  // namespace tgd::optim
