// What a text holds that a reader does not see as it is: control characters, which make a terminal do things, and characters that
// turn the direction of the text or show nothing. Labels, prompts, replies, file names and endpoints' messages may hold any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tgd::detail {

/// C0 (line feeds and tabs, too), DEL, C1, overrides and marks of direction, separators of lines and paragraphs, characters without
/// width, tags. Not the joiners U+200C and U+200D, which scripts and emoji need.
bool is_hidden(char32_t character) noexcept;
/// The same of a character's UTF-8.
bool is_hidden(std::string_view character) noexcept;

/// The text for a terminal or a log: hidden characters as \x1b or \u202e, and bytes that are no UTF-8 as \xff. Line feeds and tabs
/// stay.
std::string visible(std::string_view text);

/// JSON text with its hidden characters as \u202e; it says the same. Only strings can hold any, so that it is done to the whole.
/// What writes JSON has it from core/json_text.hpp.
std::string visible_json(std::string json);

}  // namespace tgd::detail
