#include "core/visible.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "core/characters.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

struct Span {
  char32_t first;
  char32_t last;
};
constexpr std::array hidden = {Span{0x00, 0x1F},     Span{0x7F, 0x9F},     Span{0xAD, 0xAD},     Span{0x61C, 0x61C},
                               Span{0x180E, 0x180E}, Span{0x200B, 0x200B}, Span{0x200E, 0x200F}, Span{0x2028, 0x202E},
                               Span{0x2060, 0x206F}, Span{0xFEFF, 0xFEFF}, Span{0xFFF9, 0xFFFB}, Span{0xE0000, 0xE007F}};

bool is_plain(char c) { return c >= 0x20 && c < 0x7F; }

std::string escaped_for_people(char32_t code) {
  const auto number = static_cast<std::uint32_t>(code);
  if (code < 0x100) return fmt::format("\\x{:02x}", number);
  return code < 0x10000 ? fmt::format("\\u{:04x}", number) : fmt::format("\\U{:08x}", number);
}

std::string escaped_for_json(char32_t code) {
  const auto number = static_cast<std::uint32_t>(code);
  if (code < 0x10000) return fmt::format("\\u{:04x}", number);
  const std::uint32_t rest = number - 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10U), 0xDC00 + (rest & 0x3FFU));
}

/// The text with escape() of the hidden characters that do not stay.
template <class Escape>
std::string with_escapes(std::string_view text, std::string_view stays, const Escape& escape) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    if (is_plain(text[0]) || stays.find(text[0]) != std::string_view::npos) {
      result += text[0];
      text.remove_prefix(1);
      continue;
    }
    const std::size_t length = std::max<std::size_t>(1, character_length(text));
    const bool is_valid = character_length(text) > 0;
    const std::string_view character = text.substr(0, length);
    if (!is_valid) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (is_hidden(character)) {
      result += escape(code_of(character));
    } else {
      result += character;
    }
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace

bool is_hidden(char32_t character) noexcept {
  return std::any_of(hidden.begin(), hidden.end(),
                     [&](const Span& span) { return character >= span.first && character <= span.last; });
}

bool is_hidden(std::string_view character) noexcept { return is_hidden(code_of(character)); }

std::string visible(std::string_view text) { return with_escapes(text, "\n\t", escaped_for_people); }

// A control character outside of a string is white space of JSON.
std::string visible_json(std::string json) {
  if (std::all_of(json.begin(), json.end(), [](char c) { return is_plain(c) || c == '\n'; })) return json;
  return with_escapes(json, "\n\t\r", escaped_for_json);
}

}  // namespace tgd::detail
