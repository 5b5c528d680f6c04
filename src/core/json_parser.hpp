// The one way from text to JSON: everything that is parsed, whoever wrote it, is nested no deeper than core/brackets.hpp says.
// Private to the library.
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace tgd::detail {

enum class JsonComments { refused, allowed };

/// Parses text whose nesting is known to be shallow, in linear time: ordered objects of nlohmann's own making look through all their
/// members for each new one. Of members with one key the last one counts, at the place of the first. Throws what Value::parse() throws.
template <class Value>
Value parse_shallow(std::string_view text, JsonComments comments = JsonComments::refused);
extern template nlohmann::json parse_shallow(std::string_view, JsonComments);
extern template nlohmann::ordered_json parse_shallow(std::string_view, JsonComments);

/// The value, which is discarded where the text is no JSON or nests too deeply.
template <class Value>
Value parse_or_discard(std::string_view text, JsonComments comments = JsonComments::refused);
extern template nlohmann::json parse_or_discard(std::string_view, JsonComments);
extern template nlohmann::ordered_json parse_or_discard(std::string_view, JsonComments);

/// Throws ParseError where the text nests too deeply, with line and column and, behind `file`, its name.
void expect_shallow(std::string_view text, JsonComments comments, std::string_view file = {});

}  // namespace tgd::detail
