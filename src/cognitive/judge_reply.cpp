#include "cognitive/judge_reply.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "core/brackets.hpp"
#include "core/text.hpp"

namespace tgd::detail {

namespace {

using nlohmann::json;

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
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(number)) return std::nullopt;
  return number;
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
  constexpr std::size_t most_attempts = 100;  // bounds the time on a reply full of braces
  std::size_t attempts = 0;
  for (std::size_t begin = reply.find('{'); begin != std::string_view::npos && attempts < most_attempts; ++attempts) {
    const auto end = end_of_brackets(reply, begin);
    const json object =
        end ? json::parse(reply.substr(begin, *end - begin), nullptr, false) : json(json::value_t::discarded);
    if (object.is_discarded()) {
      problem = end ? "The JSON object is not valid." : "The JSON object is not closed.";
      begin = reply.find('{', begin + 1);
      continue;
    }
    auto read = verdict_in(object);
    if (auto* found = std::get_if<Verdict>(&read)) {
      verdict = std::move(*found);
    } else {
      problem = std::get<std::string>(read);
    }
    begin = reply.find('{', *end);
  }
  if (verdict) return *std::move(verdict);
  return problem;
}

}  // namespace tgd::detail
