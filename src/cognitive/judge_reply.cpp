#include "cognitive/judge_reply.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "core/brackets.hpp"
#include "core/json_parser.hpp"
#include "core/number_of_text.hpp"
#include "core/text.hpp"

namespace tgd::detail {

namespace {

using json = nlohmann::ordered_json;

const json* member(const json& object, std::string_view name) {
  for (const auto& [key, value] : object.items()) {
    const bool same = std::equal(key.begin(), key.end(), name.begin(), name.end(),
                                 [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
    if (same) return &value;
  }
  return nullptr;
}

std::optional<double> number_in(const json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto text = value.get<std::string>();
  const std::string_view digits = trim(text);
  if (digits == "true" || digits == "True") return 1;
  if (digits == "false" || digits == "False") return 0;
  const auto number = number_of_text<double>(digits);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::variant<Verdict, std::string> verdict_in(const json& object) {
  const json* score = member(object, "score");
  const json* explanation = member(object, "explanation");
  if (score == nullptr) return "The JSON object has no \"score\".";
  const std::optional<double> number = number_in(*score);
  if (!number) return "The \"score\" is not a number.";
  if (explanation == nullptr) return "The JSON object has no \"explanation\".";
  return Verdict{*number, explanation->is_string() ? explanation->get<std::string>()
                                                   : explanation->dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace

std::variant<Verdict, std::string> read_verdict(std::string_view reply) {
  std::string problem = "It holds no JSON object.";
  // A judge that thinks aloud may write drafts first: the last object that can be read counts.
  std::optional<Verdict> verdict;
  BracketedParts parts(reply, "{");
  while (const auto part = parts.next()) {
    const json object = parse_or_discard<json>(*part);
    if (object.is_discarded()) {
      problem = part->empty() ? "The JSON object is not closed." : "The JSON object is not valid.";
      continue;
    }
    auto read = verdict_in(object);
    if (auto* found = std::get_if<Verdict>(&read)) {
      verdict = std::move(*found);
    } else {
      problem = std::get<std::string>(read);
    }
    parts.skip();
  }
  if (verdict) return *std::move(verdict);
  return problem;
}

}  // namespace tgd::detail
