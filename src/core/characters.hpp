// Characters by what they are to a reader. Private to the library.
#pragma once

#include <string_view>

namespace tgd::detail {

/// Of a character that is whole and valid UTF-8.
constexpr char32_t code_of(std::string_view character) noexcept {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first;
  char32_t code = first & (0x7FU >> character.size());
  for (const char c : character.substr(1)) code = (code << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
  return code;
}

constexpr bool is_between(char32_t code, char32_t first, char32_t last) noexcept { return code >= first && code <= last; }

constexpr bool is_tag_character(char32_t code) noexcept { return is_between(code, 0xE0000, 0xE007F); }

constexpr bool is_variation_selector(char32_t code) noexcept {
  return is_between(code, 0xFE00, 0xFE0F) || is_between(code, 0xE0100, 0xE01EF) || is_between(code, 0x180B, 0x180D);
}

/// Without a width; what joins emoji and letters is among them.
constexpr bool is_zero_width(char32_t code) noexcept {
  return code == 0xAD || code == 0x34F || code == 0x61C || code == 0x115F || code == 0x1160 || code == 0x17B4 ||
         code == 0x17B5 || code == 0x180E || is_between(code, 0x200B, 0x200F) || is_between(code, 0x2060, 0x2065) ||
         is_between(code, 0x206A, 0x206F) || code == 0x3164 || code == 0xFEFF || code == 0xFFA0 ||
         is_between(code, 0xFFF9, 0xFFFB);
}

constexpr bool overrides_direction(char32_t code) noexcept {
  return is_between(code, 0x202A, 0x202E) || is_between(code, 0x2066, 0x2069);
}

/// Kana, ideographs and their extensions.
constexpr bool is_ideograph(char32_t code) noexcept {
  return is_between(code, 0x3000, 0x9FFF) || is_between(code, 0x20000, 0x3FFFF);
}

constexpr bool is_blank(char32_t code) noexcept {
  return code == ' ' || is_between(code, '\t', '\r') || code == 0xA0 || code == 0x1680 || is_between(code, 0x2000, 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x2800 || code == 0x3000;
}

}  // namespace tgd::detail
