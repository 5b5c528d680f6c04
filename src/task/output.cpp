#include "task/output.hpp"

#include <utility>

#include <fmt/format.h>

#include "core/fold.hpp"
#include "core/number_text.hpp"
#include "core/text.hpp"
#include "lm/answer_json.hpp"

namespace tgd::cli {

namespace {

using Value = nlohmann::ordered_json;

std::string as_text(const Value& value) {
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Value::error_handler_t::replace);
}

Output failure(std::string_view text, std::string problem) { return {std::string(text), std::move(problem)}; }

Output json_of(std::string_view text) {
  const auto value = lm::detail::answer_json(text);
  return value ? Output{as_text(*value)} : failure(text, "there is no JSON in it");
}

Output member_in(std::string_view text, const std::string& pointer) {
  const auto value = lm::detail::answer_json(text, pointer);
  if (!value) return failure(text, "there is no JSON in it");
  const Value::json_pointer place(pointer);
  if (!value->contains(place)) return failure(text, fmt::format("its JSON has no {}", pointer));
  return {as_text(value->at(place))};
}

Output match_in(std::string_view text, const detail::Pattern& pattern, const std::string& shown) {
  auto found = pattern.find(text);
  return found ? Output{*std::move(found)} : failure(text, fmt::format("nothing in it matches {}", shown));
}

Output number_of(std::string_view text, detail::DecimalMark mark) {
  const auto number = detail::last_number(text, mark);
  return number ? Output{detail::number_text(*number, mark)} : failure(text, "there is no number in it");
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
        output = {detail::in_lower_case(output.text)};
        break;
      case OutputStep::Kind::fenced_json:
        output = json_of(output.text);
        break;
      case OutputStep::Kind::number:
        output = number_of(output.text, detail::DecimalMark::point);
        break;
      case OutputStep::Kind::comma_number:
        output = number_of(output.text, detail::DecimalMark::comma);
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
