#include "task/scores.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/characters.hpp"
#include "core/fold.hpp"
#include "core/json_parser.hpp"
#include "core/number_text.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"
#include "lm/answer_json.hpp"
#include "task/output.hpp"

namespace tgd::cli {

namespace {

using Value = nlohmann::ordered_json;
using Type = EvaluatorSpec::Type;
using Lists = EvaluatorSpec::Lists;

/// A text as it is compared.
std::string comparable(const EvaluatorSpec& spec, std::string_view text) {
  const std::string form = spec.ignore_case ? detail::caseless_form(text) : detail::plain_form(text);
  return std::string(detail::trim(form));
}

// ---- Numbers ---------------------------------------------------------------------------------------------------------------

double distance(const Data& a, const Data& b) {
  if (a.kind() != Data::Kind::integer || b.kind() != Data::Kind::integer) return std::abs(a.real() - b.real());
  const std::int64_t least = std::min(a.integer(), b.integer());
  const std::int64_t most = std::max(a.integer(), b.integer());
  return static_cast<double>(static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least));
}

double number_score(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target) {
  const auto got = detail::last_number(prediction, spec.decimal_mark);
  const auto wanted = detail::last_number(target, spec.decimal_mark);
  if (!got || !wanted) return 0;
  const bool is_near = spec.tolerance > 0 ? distance(*got, *wanted) <= spec.tolerance : is_same_number(*got, *wanted);
  return is_near ? 1 : 0;
}

// ---- JSON ------------------------------------------------------------------------------------------------------------------

/// Numbers are equal as numbers, 1 and 1.0 too; to the JSON library whole ones and others are equal where they are rounded.
bool is_same_json_number(const Value& a, const Value& b) {
  // What is parsed has a sign where it is below 0 only.
  if (a.is_number_integer() && b.is_number_integer()) return a.is_number_unsigned() == b.is_number_unsigned() && a == b;
  const Value& whole = a.is_number_integer() ? a : b;
  const bool fits = !whole.is_number_unsigned() || whole.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
  if (!whole.is_number_integer() || !fits) return a == b;
  return is_same_number(Data(whole.get<std::int64_t>()), Data((&whole == &a ? b : a).get<double>()));
}

/// "1,200" for 1200. Where the number is expected, it may be written as people do; where the text is, "007" is not 7.
bool is_number_as_text(const EvaluatorSpec& spec, const Value& got, const Value& wanted) {
  const std::string& text = (got.is_string() ? got : wanted).get_ref<const std::string&>();
  const Value& number = got.is_string() ? wanted : got;
  if (wanted.is_string()) return detail::trim(text) == number.dump();
  if (!detail::unit_of_amount(text, spec.decimal_mark)) return false;
  const auto read = detail::last_number(text, spec.decimal_mark);
  if (!read) return false;
  return is_same_json_number(
      read->kind() == Data::Kind::integer ? Value::parse(std::to_string(read->integer())) : Value(read->real()), number);
}

double list_score(const EvaluatorSpec& spec, const Value& got, const Value& wanted);

bool is_same(const EvaluatorSpec& spec, const Value& got, const Value& wanted) {
  if (got.is_number() && wanted.is_number()) return is_same_json_number(got, wanted);
  if (got.is_string() && wanted.is_string())
    return comparable(spec, got.get_ref<const std::string&>()) == comparable(spec, wanted.get_ref<const std::string&>());
  if ((got.is_string() && wanted.is_number()) || (got.is_number() && wanted.is_string()))
    return is_number_as_text(spec, got, wanted);
  if (got.is_array() && wanted.is_array()) return list_score(spec, got, wanted) == 1;
  if (!got.is_object() || !wanted.is_object()) return got == wanted;
  if (got.size() != wanted.size()) return false;
  for (const auto& member : wanted.items()) {
    const auto other = got.find(member.key());
    if (other == got.end() || !is_same(spec, *other, member.value())) return false;
  }
  return true;
}

/// The items that two lists have in common, each taken once.
std::size_t common_items(const EvaluatorSpec& spec, const Value& got, const Value& wanted) {
  std::vector<const Value*> left;
  for (const Value& item : wanted) left.push_back(&item);
  std::size_t common = 0;
  for (const Value& item : got) {
    const auto found = std::find_if(left.begin(), left.end(), [&](const Value* other) { return is_same(spec, item, *other); });
    if (found == left.end()) continue;
    left.erase(found);
    ++common;
  }
  return common;
}

std::size_t items_in_place(const EvaluatorSpec& spec, const Value& got, const Value& wanted) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < std::min(got.size(), wanted.size()); ++i) count += is_same(spec, got[i], wanted[i]) ? 1 : 0;
  return count;
}

double share(std::size_t part, std::size_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

double list_score(const EvaluatorSpec& spec, const Value& got, const Value& wanted) {
  if (got.empty() && wanted.empty()) return 1;
  if (spec.lists == Lists::in_order) return share(items_in_place(spec, got, wanted), std::max(got.size(), wanted.size()));
  const std::size_t common = common_items(spec, got, wanted);
  switch (spec.lists) {
    case Lists::precision:
      return got.empty() ? 0 : share(common, got.size());
    case Lists::recall:
      return wanted.empty() ? 0 : share(common, wanted.size());
    case Lists::exact_set:
      return common == got.size() && common == wanted.size() ? 1 : 0;
    default:
      return share(2 * common, got.size() + wanted.size());
  }
}

/// The members at the ends of an object's branches; lists are ends.
void add_fields(const Value& value, const Value::json_pointer& place, std::vector<Value::json_pointer>& fields) {
  if (!value.is_object() || value.empty()) return fields.push_back(place);
  for (const auto& member : value.items()) add_fields(member.value(), place / member.key(), fields);
}

std::vector<Value::json_pointer> scored_fields(const EvaluatorSpec& spec, const Value& target) {
  std::vector<Value::json_pointer> fields;
  for (const std::string& field : spec.fields) fields.emplace_back(field);
  if (fields.empty()) add_fields(target, Value::json_pointer(), fields);
  return fields;
}

/// What an answer leaves out is null.
Value member_at(const Value& json, const Value::json_pointer& place) { return json.contains(place) ? json.at(place) : Value(); }

double json_score(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target) {
  const auto wanted = lm::detail::answer_json(target);
  const auto got = lm::detail::answer_json(prediction);
  if (!wanted || !got) return 0;
  const auto fields = scored_fields(spec, *wanted);
  double sum = 0;
  for (const auto& field : fields) {
    if (!wanted->contains(field)) continue;  // what is looked at has to be there
    const Value& expected = wanted->at(field);
    const Value found = member_at(*got, field);
    const bool are_lists = expected.is_array() && found.is_array();
    sum += are_lists ? list_score(spec, found, expected) : is_same(spec, found, expected) ? 1 : 0;
  }
  return sum / static_cast<double>(fields.size());
}

// ---- Words -----------------------------------------------------------------------------------------------------------------

using WordCounts = std::map<std::string, int>;

/// Marks of sentences, which stand beside words and belong to none.
bool is_sentence_mark(char32_t code) {
  constexpr std::u32string_view marks = U".,;:!?\"'()[]{}…‘’‚“”„«»‹›¡¿、。，．；：！？「」『』（）［］【】《》〈〉·。｡､";
  return marks.find(code) != std::u32string_view::npos;
}

/// The words of a text; where words are not kept apart by blanks, its characters. Marks around a word are no part of it.
class WordCounter {
 public:
  explicit WordCounter(std::string_view text) {
    while (!text.empty()) {
      const std::size_t length = std::max<std::size_t>(detail::character_length(text), 1);
      const std::string_view character = text.substr(0, length);
      add(character, detail::character_length(text) == 0 ? char32_t{0xFFFD} : detail::code_of(character));
      text.remove_prefix(length);
    }
    end_word();
  }
  WordCounts take() { return std::move(counts_); }

 private:
  void add(std::string_view character, char32_t code) {
    if (detail::is_blank(code)) return end_word();
    if (detail::is_mark(code) || !detail::is_unspaced(code)) {
      if (is_alone_ && !detail::is_mark(code)) end_word();
      if (is_sentence_mark(code)) {
        if (!word_.empty()) marks_ += character;  // within a word they belong to it, as in 3.5 and don't
        return;
      }
      word_ += marks_;
      marks_.clear();
      word_ += character;
      return;
    }
    end_word();
    word_ = character;
    is_alone_ = true;
  }
  void end_word() {
    if (!word_.empty()) ++counts_[word_];
    word_.clear();
    marks_.clear();
    is_alone_ = false;
  }

  WordCounts counts_;
  std::string word_;
  std::string marks_;
  bool is_alone_ = false;  // the word is one character of a text without blanks
};

int count_words(const WordCounts& counts) {
  int sum = 0;
  for (const auto& [word, count] : counts) sum += count;
  return sum;
}

double f1_score(const std::string& prediction, const std::string& target) {
  const WordCounts got = WordCounter(prediction).take();
  const WordCounts wanted = WordCounter(target).take();
  int common = 0;
  for (const auto& [word, count] : got) {
    const auto found = wanted.find(word);
    if (found != wanted.end()) common += std::min(count, found->second);
  }
  const int both = count_words(got) + count_words(wanted);
  if (both == 0) return prediction == target ? 1 : 0;  // nothing but marks, or nothing
  return 2.0 * common / both;
}

std::string lists_in_words(Lists lists) {
  switch (lists) {
    case Lists::precision:
      return "lists by the share of the answer's items that are right";
    case Lists::recall:
      return "lists by the share of the right items that the answer has";
    case Lists::exact_set:
      return "lists by whether they have the same items";
    case Lists::in_order:
      return "lists place by place";
    case Lists::f1:
      break;
  }
  return "lists by the items that they have in common, whatever their order; each missing and each further one counts against "
         "it";
}

/// JSON whose members stand in one order, whatever theirs is; nothing for any other text.
std::optional<std::string> sorted_json(std::string_view text) {
  text = detail::trim(text);
  if (!text.starts_with('{') && !text.starts_with('[')) return std::nullopt;
  const auto json = detail::parse_or_discard<nlohmann::json>(text);
  if (json.is_discarded()) return std::nullopt;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string compared_text(const EvaluatorSpec& spec, std::string_view text) { return comparable(spec, text); }

bool is_same_text(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target) {
  if (comparable(spec, prediction) == comparable(spec, target)) return true;
  const auto wanted = sorted_json(target);
  const auto got = wanted ? sorted_json(prediction) : std::nullopt;
  return got && comparable(spec, *got) == comparable(spec, *wanted);
}

double score_of(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target) {
  switch (spec.type) {
    case Type::exact_match:
      return is_same_text(spec, prediction, target) ? 1 : 0;
    case Type::contains: {
      // The empty text stands in everything, and is no answer.
      const std::string wanted = comparable(spec, target);
      const std::string got = comparable(spec, prediction);
      return wanted.empty() ? (got.empty() ? 1 : 0) : got.find(wanted) != std::string::npos ? 1 : 0;
    }
    case Type::number:
      return number_score(spec, prediction, target);
    case Type::json_fields:
      return json_score(spec, prediction, target);
    case Type::f1:
      return f1_score(comparable(spec, prediction), comparable(spec, target));
    case Type::judge:
    case Type::command:
      break;
  }
  throw StateError("a judge's score comes from its model, and a command's from the command");
}

std::string purpose_of(const EvaluatorSpec& spec) {
  const std::string case_note = spec.ignore_case ? ", upper and lower case aside" : "";
  switch (spec.type) {
    case Type::exact_match:
      return "whether the answer is the expected one" + case_note;
    case Type::contains:
      return "whether the expected text stands in the answer" + case_note;
    case Type::number:
      return spec.tolerance > 0
                 ? fmt::format("whether the last number in the answer is the expected number, give or take {}", spec.tolerance)
                 : "whether the last number in the answer is the expected number";
    case Type::json_fields:
      return "the share of the expected JSON's fields that the answer, which has to be JSON, gets right; " +
             lists_in_words(spec.lists) + case_note;
    case Type::f1:
      return "how many words the answer and the expected one have in common (F1)" + case_note;
    case Type::judge:
    case Type::command:
      break;
  }
  return "how good the answer is";
}

}  // namespace tgd::cli
