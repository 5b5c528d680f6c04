#include <regex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/optim.hpp>

#include "core/text.hpp"

namespace tgd::optim {

namespace {

std::string quoted_list(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back("{" + word + "}");
  return tgd::detail::join(quoted, ", ");
}

}  // namespace

std::optional<std::string> Constraint::violation(const std::string& value) const {
  return check_ ? check_(value) : std::nullopt;
}

Constraint Constraint::keeps_placeholders(std::vector<std::string> names) {
  if (names.empty()) throw ValueError("Constraint::keeps_placeholders needs at least one name");
  std::string text = fmt::format("Keep each of these placeholders, braces included, exactly as it is: {}", quoted_list(names));
  return {std::move(text), [names = std::move(names)](const std::string& value) -> std::optional<std::string> {
            for (const std::string& name : names) {
              if (!has_placeholder(value, name)) return fmt::format("The placeholder {{{}}} is missing from the value.", name);
            }
            return std::nullopt;
          }};
}

Constraint Constraint::forbids(std::string text) {
  if (text.empty()) throw ValueError("Constraint::forbids needs a text; every value contains the empty one");
  std::string rule = fmt::format("The value must not contain this text: {}", text);
  return {std::move(rule), [text = std::move(text)](const std::string& value) -> std::optional<std::string> {
            if (value.find(text) == std::string::npos) return std::nullopt;
            return fmt::format("The value contains the forbidden text \"{}\".", text);
          }};
}

Constraint Constraint::forbids_pattern(const std::string& pattern) {
  std::regex regex;
  try {
    regex = std::regex(pattern);
  } catch (const std::regex_error& error) {
    throw ValueError(fmt::format("\"{}\" is not a regular expression in ECMAScript syntax: {}", pattern, error.what()));
  }
  return {fmt::format("The value must not match this regular expression anywhere: {}", pattern),
          [pattern, regex = std::move(regex)](const std::string& value) -> std::optional<std::string> {
            if (!std::regex_search(value, regex)) return std::nullopt;
            return fmt::format("The value matches the forbidden pattern \"{}\".", pattern);
          }};
}

Constraint Constraint::max_length(std::size_t characters) {
  if (characters == 0) throw ValueError("Constraint::max_length is 0; no value could keep that");
  return {fmt::format("The value must be at most {} characters long.", characters),
          [characters](const std::string& value) -> std::optional<std::string> {
            const std::size_t length = tgd::detail::count_characters(value);
            if (length <= characters) return std::nullopt;
            return fmt::format("The value is {} characters long; at most {} are allowed.", length, characters);
          }};
}

Constraint Constraint::valid_json() {
  return {"The value must be valid JSON.", [](const std::string& value) -> std::optional<std::string> {
            if (nlohmann::json::accept(value)) return std::nullopt;
            return "The value is not valid JSON.";
          }};
}

}  // namespace tgd::optim
