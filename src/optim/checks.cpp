#include "optim/checks.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/variable_impl.hpp"
#include "optim/reply/extract.hpp"

namespace tgd::optim::detail {

namespace {

using Problem = UnusableReply::Problem;

// What a value may grow to where nothing else was said, in characters.
constexpr std::size_t longest_by_default = 50'000;
constexpr std::size_t most_growth_by_default = 20;

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

struct FrozenPart {
  std::size_t position;
  std::string text;
};

std::vector<FrozenPart> marked_parts(const Variable& parameter, const TGDOptions& options) {
  const auto& [open, close] = options.frozen_marks;
  std::vector<FrozenPart> parts;
  if (open.empty()) return parts;
  const std::string& value = parameter.data().text();
  std::size_t at = 0;
  for (std::size_t begin = value.find(open); begin != std::string::npos; begin = value.find(open, at)) {
    const std::size_t end = value.find(close, begin + open.size());
    if (end == std::string::npos) break;
    at = end + close.size();
    parts.push_back({begin, value.substr(begin, at - begin)});
  }
  if (count_of(value, open) != parts.size() || count_of(value, close) != parts.size()) {
    throw ValueError(
        fmt::format("the value of \"{}\" has {} {} and {} {}, which have to come in pairs; TGDOptions::frozen_marks "
                    "names other marks, or none",
                    parameter.role(), count_of(value, open), open, count_of(value, close), close));
  }
  return parts;
}

/// The parts that the rules name, each behind the one before.
std::vector<FrozenPart> named_parts(const Variable& parameter, const TGDOptions& options) {
  std::vector<FrozenPart> parts;
  const ParameterRules* rules = rules_for(parameter, options);
  if (rules == nullptr) return parts;
  std::size_t at = 0;
  for (const std::string& text : rules->frozen) {
    const std::size_t found = parameter.data().text().find(text, at);
    if (found == std::string::npos || text.empty()) {
      throw ValueError(fmt::format("ParameterRules::frozen: the value of \"{}\" does not have \"{}\", or not in this order",
                                   parameter.role(), tgd::detail::excerpt(text)));
    }
    parts.push_back({found, text});
    at = found + text.size();
  }
  return parts;
}

/// The first part that `value` lacks when the parts are looked for one behind the other.
const std::string* first_missing(const std::string& value, const std::vector<std::string>& parts) {
  std::size_t at = 0;
  for (const std::string& part : parts) {
    const std::size_t found = value.find(part, at);
    if (found == std::string::npos) return &part;
    at = found + part.size();
  }
  return nullptr;
}

/// What a conversation holds beside tgd's own words on it: the feedback goes, the expected reply stays.
std::string conversation_text(const std::string& context) {
  std::string text;
  std::size_t at = 0;
  for (std::size_t begin = context.find("<FEEDBACK>"); begin != std::string::npos; begin = context.find("<FEEDBACK>", at)) {
    const std::size_t end = std::min(context.find("</FEEDBACK>", begin), context.size());
    text.append(context, at, begin - at).append("\n");
    const std::string_view feedback = std::string_view(context).substr(begin, end - begin);
    const std::size_t expected = std::min(feedback.find("<EXPECTED>"), feedback.size());
    text += feedback.substr(expected, std::min(feedback.find("</EXPECTED>", expected), feedback.size()) - expected);
    at = end;
  }
  return text.append(context, at);
}

}  // namespace

const ParameterRules* rules_for(const Variable& parameter, const TGDOptions& options) {
  const auto found = std::find_if(options.rules.begin(), options.rules.end(),
                                  [&](const ParameterRules& rules) { return is_same(rules.parameter, parameter); });
  return found == options.rules.end() ? nullptr : &*found;
}

std::vector<std::string> frozen_parts(const Variable& parameter, const TGDOptions& options) {
  std::vector<FrozenPart> parts = marked_parts(parameter, options);
  const std::size_t marked = parts.size();
  for (FrozenPart& part : named_parts(parameter, options)) {
    // What is inside a marked part is kept with it.
    const auto holds = [&](const FrozenPart& other) {
      return other.position <= part.position && part.position < other.position + other.text.size();
    };
    const auto end = parts.begin() + static_cast<std::ptrdiff_t>(marked);
    if (std::none_of(parts.begin(), end, holds)) parts.push_back(std::move(part));
  }
  std::sort(parts.begin(), parts.end(), [](const FrozenPart& a, const FrozenPart& b) { return a.position < b.position; });
  std::vector<std::string> texts;
  for (FrozenPart& part : parts) texts.push_back(std::move(part.text));
  return texts;
}

Checks::Checks(const ParameterState& state, const TGDOptions& options) : options_(options) {
  for (const Constraint& constraint : options.constraints) add(Problem::violated_constraint, constraint);
  add_placeholders(state.parameter);
  add_length(state);
  add_frozen(state.parameter);
  add_required(state.parameter);
}

void Checks::add(Problem problem, Constraint constraint) {
  texts_.push_back(constraint.variable().data().text());
  rules_.push_back({problem, std::move(constraint)});
}

void Checks::add_placeholders(const Variable& parameter) {
  std::vector<std::string> names;
  {
    const std::lock_guard lock(tgd::detail::mutex_of(*tgd::detail::impl_of(parameter)));
    if (const auto& extras = tgd::detail::impl_of(parameter)->extras)
      names.assign(extras->placeholders.begin(), extras->placeholders.end());
  }
  // What the value does not hold any more, because the program has set another, need not be kept.
  std::erase_if(names, [&](const std::string& name) { return !has_placeholder(parameter.data().text(), name); });
  if (!names.empty()) add(Problem::lost_placeholder, Constraint::keeps_placeholders(std::move(names)));
}

void Checks::add_length(const ParameterState& state) {
  const auto first = static_cast<double>(tgd::detail::count_characters(state.first_value));
  if (!options_.max_length_ratio) {
    // No rule to tell the language model: only what went astray is as long as that.
    const auto sane = std::max(longest_by_default, static_cast<std::size_t>(first) * most_growth_by_default);
    rules_.push_back({Problem::too_long, Constraint::max_length(sane)});
    return;
  }
  const auto limit = static_cast<std::size_t>(std::ceil(first * *options_.max_length_ratio));
  if (limit > 0) add(Problem::too_long, Constraint::max_length(limit));
}

void Checks::add_frozen(const Variable& parameter) {
  const Prompts& prompts = options_.prompts;
  std::vector<std::string> parts = frozen_parts(parameter, options_);
  for (const std::string& part : parts) texts_.push_back(prompts.render("tgd_constraint_frozen", {{"text", part}}));
  const auto keeps_parts = [prompts, parts](const std::string& value) -> std::optional<std::string> {
    const std::string* missing = first_missing(value, parts);
    if (missing == nullptr) return std::nullopt;
    return prompts.render("tgd_problem_changed_frozen", {{"text", *missing}});
  };
  const auto keeps_marks = [prompts, marks = options_.frozen_marks,
                            old_value = parameter.data().text()](const std::string& value) -> std::optional<std::string> {
    const auto same = [&](const std::string& mark) {
      return mark.empty() || count_of(value, mark) == count_of(old_value, mark);
    };
    if (same(marks.first) && same(marks.second)) return std::nullopt;
    return prompts.render("tgd_problem_changed_marks", {{"open_mark", marks.first}, {"close_mark", marks.second}});
  };
  rules_.push_back({Problem::changed_frozen, Constraint("", keeps_parts)});
  rules_.push_back({Problem::changed_frozen, Constraint("", keeps_marks)});
}

void Checks::add_required(const Variable& parameter) {
  const ParameterRules* rules = rules_for(parameter, options_);
  if (rules == nullptr) return;
  for (const std::string& text : rules->required) add(Problem::violated_constraint, Constraint::contains(text));
}

std::optional<UnusableReply> Checks::problem(const std::string& value) const {
  for (const Rule& rule : rules_) {
    auto reason = rule.constraint.violation(value);
    if (!reason) continue;
    if (!reason->empty()) return UnusableReply{rule.problem, *std::move(reason)};
    return unusable(Problem::violated_constraint, options_.prompts, {{"constraint", rule.constraint.variable().data().text()}});
  }
  return std::nullopt;
}

WordRuns conversation_words(std::span<const Variable> gradients, std::size_t run) {
  std::set<std::string> texts;
  for (const Variable& gradient : gradients) {
    const auto& extras = tgd::detail::impl_of(gradient)->extras;
    if (!extras) continue;
    for (const auto& context : extras->contexts) texts.insert(conversation_text(*context));
  }
  WordRuns words(run);
  for (const std::string& text : texts) words.add(text);
  words.drop_common();
  return words;
}

}  // namespace tgd::optim::detail
