#include "task/scoring.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <tgd/template.hpp>

#include "core/text.hpp"
#include "lm/lenient_json.hpp"
#include "task/output.hpp"

namespace tgd::cli {

namespace {

using Value = nlohmann::json;
using Type = EvaluatorSpec::Type;

std::string folded(std::string_view text, bool ignore_case) {
  return ignore_case ? detail::lower_case(detail::trim(text)) : std::string(detail::trim(text));
}

template <class Number>
std::optional<Data> number_in(std::string_view text, Number number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Whole where it is written so, and fits: large ones that differ are told apart.
std::optional<Data> number_in(std::string_view text) {
  text = detail::trim(text);
  const auto whole = number_in(text, std::int64_t{0});
  return whole ? whole : number_in(text, 0.0);
}

double distance(const Data& a, const Data& b) {
  if (a.kind() != Data::Kind::integer || b.kind() != Data::Kind::integer) return std::abs(a.real() - b.real());
  const std::int64_t least = std::min(a.integer(), b.integer());
  const std::int64_t most = std::max(a.integer(), b.integer());
  return static_cast<double>(static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least));
}

double number_score(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target) {
  const auto got = number_in(prediction);
  const auto wanted = number_in(target);
  if (!got || !wanted) return 0;
  const bool is_near = spec.tolerance > 0 ? distance(*got, *wanted) <= spec.tolerance : is_same_number(*got, *wanted);
  return is_near ? 1 : 0;
}

/// Numbers are equal as numbers, 1 and 1.0 too; to the JSON library whole ones and others are equal where they are rounded.
bool is_same(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    // What is parsed has a sign where it is below 0 only.
    if (a.is_number_integer() && b.is_number_integer()) return a.is_number_unsigned() == b.is_number_unsigned() && a == b;
    const Value& whole = a.is_number_integer() ? a : b;
    const bool fits = !whole.is_number_unsigned() || whole.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
    if (!whole.is_number_integer() || !fits) return a == b;
    return is_same_number(Data(whole.get<std::int64_t>()), Data((&whole == &a ? b : a).get<double>()));
  }
  if (a.is_array() && b.is_array()) return std::equal(a.begin(), a.end(), b.begin(), b.end(), is_same);
  if (!a.is_object() || !b.is_object()) return a == b;
  if (a.size() != b.size()) return false;
  for (auto member = a.begin(); member != a.end(); ++member) {
    const auto other = b.find(member.key());
    if (other == b.end() || !is_same(*member, *other)) return false;
  }
  return true;
}

std::vector<std::string> fields_of(const EvaluatorSpec& spec, const Value& target) {
  if (!spec.fields.empty()) return spec.fields;
  std::vector<std::string> pointers;
  const Value leaves = target.flatten();
  for (const auto& leaf : leaves.items()) pointers.push_back(leaf.key());
  return pointers;
}

double json_score(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target) {
  const auto wanted = lm::detail::parse_json(target);
  const auto got = lm::detail::parse_json(prediction);
  if (!wanted || !got) return 0;
  const std::vector<std::string> fields = fields_of(spec, *wanted);
  std::size_t equal = 0;
  for (const std::string& field : fields) {
    const Value::json_pointer place(field);
    equal += wanted->contains(place) && got->contains(place) && is_same(wanted->at(place), got->at(place)) ? 1 : 0;
  }
  return fields.empty() ? 0 : static_cast<double>(equal) / static_cast<double>(fields.size());
}

std::map<std::string, int> word_counts(const std::string& text) {
  std::map<std::string, int> counts;
  std::string word;
  for (const char c : text + " ") {
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!is_space) word += c;
    if (is_space && !word.empty()) ++counts[std::exchange(word, {})];
  }
  return counts;
}

int total(const std::map<std::string, int>& counts) {
  int sum = 0;
  for (const auto& [word, count] : counts) sum += count;
  return sum;
}

double f1_score(const std::string& prediction, const std::string& target) {
  const auto got = word_counts(prediction);
  const auto wanted = word_counts(target);
  int common = 0;
  for (const auto& [word, count] : got) {
    const auto found = wanted.find(word);
    if (found != wanted.end()) common += std::min(count, found->second);
  }
  const int both = total(got) + total(wanted);
  return both == 0 ? 1 : 2.0 * common / both;
}

std::string purpose_of(const EvaluatorSpec& spec) {
  const std::string case_note = spec.ignore_case ? ", upper and lower case aside" : "";
  switch (spec.type) {
    case Type::exact_match:
      return "whether the answer is the expected one" + case_note;
    case Type::contains:
      return "whether the expected text stands in the answer" + case_note;
    case Type::number:
      return spec.tolerance > 0 ? fmt::format("whether the answer is the expected number, give or take {}", spec.tolerance)
                                : "whether the answer is the expected number and nothing else";
    case Type::json_fields:
      return "the share of the expected JSON's fields that the answer, which has to be JSON alone, gets right";
    case Type::f1:
      return "how many words the answer and the expected one have in common (F1)";
    case Type::judge:
      break;
  }
  return "how good the answer is";
}

EvaluatorOptions options_of(const EvaluatorSpec& spec, const Prompts& prompts, OnError on_error) {
  return {.reduction = Reduction::none,
          .higher_is_better = spec.higher_is_better,
          .critique = spec.critique_by_lm ? Critique::lm : Critique::explanation,
          .prompts = prompts,
          .worst_score = spec.worst_score,
          .on_error = on_error};
}

/// White space around an answer is no mistake.
std::vector<std::string> targets_of(const Batch& batch) {
  std::vector<std::string> targets = batch.at(target_name).data().to<std::string>().texts();
  for (std::string& target : targets) target = detail::trim(target);
  return targets;
}

Evaluation judged(const EvaluatorSpec& spec, const lm::ChatModelPtr& judge, const Variable& prediction, const Batch& batch,
                  const Prompts& prompts, OnError on_error) {
  Messages messages;
  std::string all;
  for (const MessageSpec& message : spec.messages) {
    Message made{message.role, {}};
    for (const std::string& text : message.content) made.content.emplace_back(text, "judge's instructions");
    for (const std::string& text : message.content) all += text + "\n";
    messages.push_back(std::move(made));
  }
  Inputs inputs;
  for (const auto& [name, variable] : batch) {
    if (has_placeholder(all, name)) inputs.emplace_back(name, variable);
  }
  std::optional<Input> target;
  if (has_placeholder(all, "target")) target = targets_of(batch);
  return lm_judge_evaluator(
      judge, messages, prediction, target, inputs,
      {.evaluator = options_of(spec, prompts, on_error), .best_score = spec.best_score, .args = spec.args});
}

}  // namespace

double score_of(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target) {
  switch (spec.type) {
    case Type::exact_match:
      return folded(prediction, spec.ignore_case) == folded(target, spec.ignore_case) ? 1 : 0;
    case Type::contains:
      return folded(prediction, spec.ignore_case).find(folded(target, spec.ignore_case)) != std::string::npos ? 1 : 0;
    case Type::number:
      return number_score(spec, prediction, target);
    case Type::json_fields:
      return json_score(spec, prediction, target);
    case Type::f1:
      return f1_score(folded(prediction, spec.ignore_case), folded(target, spec.ignore_case));
    case Type::judge:
      break;
  }
  throw StateError("a judge's score comes from its model");
}

Evaluation evaluate_predictions(const EvaluatorSpec& spec, const lm::ChatModelPtr& judge, const Variable& prediction,
                                const Batch& batch, const Prompts& prompts, OnError on_error) {
  if (spec.type == Type::judge) return judged(spec, judge, prediction, batch, prompts, on_error);
  if (spec.type == Type::exact_match && !spec.ignore_case)
    return exact_match_evaluator(prediction, targets_of(batch), options_of(spec, prompts, on_error));
  const auto score = [spec](const Data& got, const Data& wanted) {
    return score_of(spec, got.item_text(), wanted.item_text());
  };
  return deterministic_evaluator(prediction, targets_of(batch), score, purpose_of(spec), options_of(spec, prompts, on_error));
}

}  // namespace tgd::cli
