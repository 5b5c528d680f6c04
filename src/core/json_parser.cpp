#include "core/json_parser.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/brackets.hpp"
#include "core/text.hpp"

namespace tgd::detail {

template <class Value>
Value parse_or_discard(std::string_view text, JsonComments comments) {
  const bool has_comments = comments == JsonComments::allowed;
  if (too_deep_at(text, has_comments)) return Value(Value::value_t::discarded);
  return Value::parse(text, nullptr, false, has_comments);
}

template nlohmann::json parse_or_discard(std::string_view, JsonComments);
template nlohmann::ordered_json parse_or_discard(std::string_view, JsonComments);

void expect_shallow(std::string_view text, JsonComments comments, std::string_view file) {
  const auto at = too_deep_at(text, comments == JsonComments::allowed);
  if (!at) return;
  const std::string_view before = text.substr(0, *at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t column = 1 + count_characters(before.substr(before.rfind('\n') + 1));  // npos + 1 is 0
  const std::string place = file.empty() ? fmt::format("not valid JSON at line {}, column {}", line, column)
                                         : fmt::format("{}:{}:{}", file, line, column);
  throw ParseError(fmt::format("{}: brackets are nested more than {} deep here", place, deepest_nesting));
}

}  // namespace tgd::detail
