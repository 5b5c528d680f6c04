#include "cli/evaluation.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <tgd/template.hpp>

#include "cli/output.hpp"
#include "core/text.hpp"
#include "lm/lenient_json.hpp"

namespace tgd::cli {

namespace {

using Value = nlohmann::json;
using Type = EvaluatorSpec::Type;

std::string folded(std::string_view text, bool ignore_case) {
  return ignore_case ? detail::lower_case(detail::trim(text)) : std::string(detail::trim(text));
}

std::optional<double> number_in(std::string_view text) {
  text = detail::trim(text);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

double number_score(const EvaluatorSpec& spec, const std::string& prediction, const std::string& target) {
  const auto got = number_in(prediction);
  const auto wanted = number_in(target);
  return got && wanted && std::abs(*got - *wanted) <= spec.tolerance ? 1 : 0;
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
    equal += wanted->contains(place) && got->contains(place) && wanted->at(place) == got->at(place) ? 1 : 0;
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

EvaluatorOptions options_of(const EvaluatorSpec& spec, const Prompts& prompts) {
  return {.reduction = Reduction::none,
          .higher_is_better = spec.higher_is_better,
          .critique = spec.critique_by_lm ? Critique::lm : Critique::explanation,
          .prompts = prompts};
}

/// White space around an answer is no mistake.
std::vector<std::string> targets_of(const Batch& batch) {
  std::vector<std::string> targets = batch.at(target_name).data().to<std::string>().texts();
  for (std::string& target : targets) target = detail::trim(target);
  return targets;
}

Evaluation judged(const EvaluatorSpec& spec, const lm::ChatModelPtr& judge, const Variable& prediction, const Batch& batch,
                  const Prompts& prompts) {
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
  return lm_judge_evaluator(judge, messages, prediction, target, inputs,
                            {.evaluator = options_of(spec, prompts), .best_score = spec.best_score});
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
                                const Batch& batch, const Prompts& prompts) {
  if (spec.type == Type::judge) return judged(spec, judge, prediction, batch, prompts);
  if (spec.type == Type::exact_match && !spec.ignore_case)
    return exact_match_evaluator(prediction, targets_of(batch), options_of(spec, prompts));
  const auto score = [spec](const Data& got, const Data& wanted) {
    return score_of(spec, got.item_text(), wanted.item_text());
  };
  return deterministic_evaluator(prediction, targets_of(batch), score, purpose_of(spec), options_of(spec, prompts));
}

}  // namespace tgd::cli
