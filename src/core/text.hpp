// Small text utilities. Positions and lengths are in bytes; cuts fall on UTF-8 boundaries.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tgd::detail {

/// Whether the byte continues a UTF-8 character.
constexpr bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

/// At most the first / last `count` characters (code points) of a text.
std::string_view first_characters(std::string_view text, std::size_t count);
std::string_view last_characters(std::string_view text, std::size_t count);
std::size_t count_characters(std::string_view text);

/// Texts of more than 40 characters as their first 20, "...", their last 20.
std::string shorten(std::string_view text);
/// The first `limit` characters with "..." behind where the text is longer; for error messages.
std::string excerpt(std::string_view text, std::size_t limit = 200);

/// At most `limit` bytes: the beginning and the end of a longer text, with a mark between that says how much is missing. A limit
/// too small for the mark leaves as much of it as fits.
std::string cut_middle(std::string_view text, std::size_t limit);
std::string cut_middle(std::string&& text, std::size_t limit);

std::string_view trim(std::string_view text);
/// With ASCII letters in lower case; others stay, whatever the locale.
std::string lower_case(std::string_view text);
std::string upper_case(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
/// The candidate with the smallest edit distance to `word`, if that is at most a third of its length; else empty.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// `<ITEM>a</ITEM><ITEM>b</ITEM>`; a single text stays as it is.
std::string join_items(std::span<const std::string> texts);

}  // namespace tgd::detail
