#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/optim/constraint.hpp>
#include <tgd/prompts.hpp>

#include "core/json_parser.hpp"
#include "core/pattern.hpp"
#include "core/text.hpp"

namespace tgd::optim {

namespace {

using Texts = std::initializer_list<TemplateInput>;

std::string rule(std::string_view name, Texts texts) { return Prompts().render(fmt::format("tgd_constraint_{}", name), texts); }
std::string problem(std::string_view name, Texts texts) { return Prompts().render(fmt::format("tgd_problem_{}", name), texts); }

std::string in_braces(const std::vector<std::string>& names) {
  std::vector<std::string> placeholders;
  for (const std::string& name : names) placeholders.push_back("{" + name + "}");
  return tgd::detail::join(placeholders, ", ");
}

}  // namespace

std::optional<std::string> Constraint::violation(const std::string& value) const {
  return check_ ? check_(value) : std::nullopt;
}

Constraint Constraint::keeps_placeholders(std::vector<std::string> names) {
  if (names.empty()) throw ValueError("Constraint::keeps_placeholders needs at least one name");
  return {rule("keeps_placeholders", {{"names", in_braces(names)}}),
          [names = std::move(names)](const std::string& value) -> std::optional<std::string> {
            for (const std::string& name : names) {
              if (!has_placeholder(value, name)) return problem("lost_placeholder", {{"name", name}});
            }
            return std::nullopt;
          }};
}

Constraint Constraint::forbids(std::string text) {
  if (text.empty()) throw ValueError("Constraint::forbids needs a text; every value contains the empty one");
  std::string words = rule("forbids", {{"text", text}});
  return {std::move(words), [text = std::move(text)](const std::string& value) -> std::optional<std::string> {
            if (value.find(text) == std::string::npos) return std::nullopt;
            return problem("forbidden_text", {{"text", text}});
          }};
}

Constraint Constraint::contains(std::string text) {
  if (text.empty()) throw ValueError("Constraint::contains needs a text; every value contains the empty one");
  std::string words = rule("requires", {{"text", text}});
  return {std::move(words), [text = std::move(text)](const std::string& value) -> std::optional<std::string> {
            if (value.find(text) != std::string::npos) return std::nullopt;
            return problem("missing_text", {{"text", text}});
          }};
}

Constraint Constraint::forbids_pattern(const std::string& pattern) {
  return {rule("forbids_pattern", {{"pattern", pattern}}),
          [pattern, compiled = tgd::detail::Pattern(pattern)](const std::string& value) -> std::optional<std::string> {
            if (!compiled.is_in(value)) return std::nullopt;
            return problem("forbidden_pattern", {{"pattern", pattern}});
          }};
}

Constraint Constraint::max_length(std::size_t characters) {
  if (characters == 0) throw ValueError("Constraint::max_length is 0; no value could keep that");
  return {rule("max_length", {{"limit", fmt::format("{}", characters)}}),
          [characters](const std::string& value) -> std::optional<std::string> {
            const std::size_t length = tgd::detail::count_characters(value);
            if (length <= characters) return std::nullopt;
            return problem("too_long", {{"length", fmt::format("{}", length)}, {"limit", fmt::format("{}", characters)}});
          }};
}

Constraint Constraint::valid_json() {
  return {rule("valid_json", {}), [](const std::string& value) -> std::optional<std::string> {
            if (!tgd::detail::parse_or_discard<nlohmann::json>(value).is_discarded()) return std::nullopt;
            return problem("invalid_json", {});
          }};
}

}  // namespace tgd::optim
