// Whether bytes are UTF-8, and how to make them so.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tgd::detail {

/// The length of the character that `text` begins with; 0 when it begins with none that is whole and valid.
std::size_t character_length(std::string_view text) noexcept;
/// Whether `text` is the beginning of a character and no more.
bool is_cut_off(std::string_view text) noexcept;

/// Appends the bytes of a character; also of half a surrogate pair, which is no text by itself.
void append_utf8(std::string& text, char32_t code);

/// The length of what `text` has before its first byte that belongs to no character; all of it, where there is none.
std::size_t valid_length(std::string_view text) noexcept;

/// Well-formed as in table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// The text with U+FFFD for each byte that belongs to no character.
std::string valid_utf8(std::string_view text);

}  // namespace tgd::detail
