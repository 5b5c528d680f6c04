#include "task/output.hpp"

#include <fmt/format.h>

#include "core/brackets.hpp"
#include "core/text.hpp"
#include "lm/lenient_json.hpp"

namespace tgd::cli {

namespace {

using Value = nlohmann::json;

/// The whole text, or else the first object or list in it that is valid: code fences and prose around it are passed over.
std::optional<Value> find_json(std::string_view text) {
  if (auto whole = lm::detail::parse_json(text)) return whole;
  detail::BracketedParts parts(text, "{[");
  while (const auto part = parts.next()) {
    if (part->empty()) continue;
    if (auto value = lm::detail::parse_json(*part)) return value;
  }
  return std::nullopt;
}

std::string as_text(const Value& value) {
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Value::error_handler_t::replace);
}

Output failure(std::string_view text, std::string problem) { return {std::string(text), std::move(problem)}; }

Output json_in(std::string_view text) {
  const auto value = find_json(text);
  return value ? Output{as_text(*value)} : failure(text, "there is no JSON in it");
}

Output member_in(std::string_view text, const std::string& pointer) {
  const auto value = find_json(text);
  if (!value) return failure(text, "there is no JSON in it");
  const Value::json_pointer place(pointer);
  if (!value->contains(place)) return failure(text, fmt::format("its JSON has no {}", pointer));
  return {as_text(value->at(place))};
}

Output match_in(std::string_view text, const detail::Pattern& pattern, const std::string& shown) {
  auto found = pattern.find(text);
  return found ? Output{*std::move(found)} : failure(text, fmt::format("nothing in it matches {}", shown));
}

}  // namespace

OutputParser::OutputParser(const std::vector<OutputStep>& steps) {
  for (const OutputStep& step : steps) {
    steps_.push_back({step.kind, step.argument, {}});
    if (step.kind == OutputStep::Kind::regex) steps_.back().pattern.emplace(step.argument);
  }
}

Output OutputParser::parse(std::string_view reply) const {
  const std::string_view trimmed = detail::trim(reply);
  Output output{std::string(trimmed)};
  for (const Step& step : steps_) {
    switch (step.kind) {
      case OutputStep::Kind::text:
        break;
      case OutputStep::Kind::lower_case:
        output = {detail::lower_case(output.text)};
        break;
      case OutputStep::Kind::fenced_json:
        output = json_in(output.text);
        break;
      case OutputStep::Kind::json_pointer:
        output = member_in(output.text, step.argument);
        break;
      case OutputStep::Kind::regex:
        output = match_in(output.text, *step.pattern, step.argument);
        break;
    }
    if (output.problem) return failure(trimmed, *output.problem);
    output.text = detail::trim(output.text);
  }
  return output;
}

}  // namespace tgd::cli
