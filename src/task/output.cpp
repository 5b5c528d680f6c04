#include "task/output.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/brackets.hpp"
#include "core/fold.hpp"
#include "core/number_text.hpp"
#include "core/text.hpp"
#include "lm/lenient_json.hpp"

namespace tgd::cli {

namespace {

using Value = nlohmann::ordered_json;

/// How likely it is that a value is an answer.
enum class Rank { reference, plain, fenced };

bool is_reference(const Value& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const Value& item) { return item.is_number_integer(); });
}

/// Says of each place in a text, asked from left to right, whether a code fence is open there.
class Fences {
 public:
  explicit Fences(std::string_view text) : text_(text) {}

  bool is_open_at(std::size_t place) {
    for (std::size_t fence = text_.find("```", seen_); fence < place; fence = text_.find("```", seen_)) {
      is_open_ = !is_open_;
      seen_ = fence + 3;
    }
    return is_open_;
  }

 private:
  std::string_view text_;
  std::size_t seen_ = 0;
  bool is_open_ = false;
};

std::string as_text(const Value& value) {
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Value::error_handler_t::replace);
}

Output failure(std::string_view text, std::string problem) { return {std::string(text), std::move(problem)}; }

Output json_of(std::string_view text) {
  const auto value = json_in(text);
  return value ? Output{as_text(*value)} : failure(text, "there is no JSON in it");
}

Output member_in(std::string_view text, const std::string& pointer) {
  const auto value = json_in(text, pointer);
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

std::optional<Value> json_in(std::string_view text, const std::string& pointer) {
  if (auto whole = lm::detail::parse_json<Value>(text)) return whole;
  const Value::json_pointer place(pointer);
  std::optional<Value> best;
  std::pair<bool, Rank> best_rank{false, Rank::reference};
  Fences fences(text);
  detail::BracketedParts parts(text, "{[");
  while (const auto part = parts.next()) {
    if (part->empty()) continue;
    auto value = lm::detail::parse_json<Value>(*part);
    if (!value) continue;
    parts.skip();
    const bool is_fenced = fences.is_open_at(static_cast<std::size_t>(part->data() - text.data()));
    const Rank kind = is_fenced ? Rank::fenced : is_reference(*value) ? Rank::reference : Rank::plain;
    const std::pair rank{value->contains(place), kind};
    if (best && rank < best_rank) continue;
    best = std::move(value);
    best_rank = rank;
  }
  return best;
}

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
