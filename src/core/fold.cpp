#include "core/fold.hpp"

#include <algorithm>

#include "core/characters.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

/// From U+00C0 and from U+0100 on: the letter without its accent, in lower case; '?' for what stays as it is.
constexpr std::string_view latin_1 = "aaaaaa?ceeeeiiii?nooooo?ouuuuy??aaaaaa?ceeeeiiii?nooooo?ouuuuy?y";
constexpr std::string_view latin_a =
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii??jjkkklllllllllln"
    "nnnnnnnnoooooo??rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
static_assert(latin_1.size() == 0x40 && latin_a.size() == 0x80);

char32_t lower(char32_t code) {
  if (code >= 'A' && code <= 'Z') return code + ('a' - 'A');
  if (is_between(code, 0xC0, 0xDE) && code != 0xD7) return code + 0x20;                                    // Æ, Ð, Þ
  if (is_between(code, 0x132, 0x153) && code % 2 == 0 && (code < 0x134 || code > 0x151)) return code + 1;  // Ĳ, Œ
  if (is_between(code, 0x391, 0x3A9)) return code + 0x20;
  if (is_between(code, 0x400, 0x40F)) return code + 0x50;
  if (is_between(code, 0x410, 0x42F)) return code + 0x20;
  return code;
}

char32_t without_accent(char32_t code) {
  if (code == 0x439 || code == 0x451) return code == 0x439 ? 0x438 : 0x435;  // й, ё
  char plain = '?';
  if (is_between(code, 0xC0, 0xFF)) plain = latin_1[code - 0xC0];
  if (is_between(code, 0x100, 0x17F)) plain = latin_a[code - 0x100];
  return plain == '?' ? code : static_cast<char32_t>(plain);
}

/// Letters and digits of another width or style, as ASCII.
char32_t in_plain_style(char32_t code) {
  if (is_between(code, 0xFF01, 0xFF5E)) return code - 0xFF01 + '!';
  if (is_between(code, 0x1D400, 0x1D6A3)) return U'a' + (code - 0x1D400) % 26;  // alphabets of both cases in turn
  if (is_between(code, 0x1D7CE, 0x1D7FF)) return U'0' + (code - 0x1D7CE) % 10;
  if (is_between(code, 0x24B6, 0x24E9)) return U'a' + (code - 0x24B6) % 26;
  return code;
}

bool is_accent(char32_t code) { return is_between(code, 0x300, 0x36F); }

char32_t plain_mark(char32_t code) {
  if (is_blank(code)) return ' ';
  if (is_between(code, 0x2018, 0x201B) || code == 0x2032 || code == 0x2BC || code == 0x60 || code == 0xB4) return '\'';
  if (is_between(code, 0x201C, 0x201F) || code == 0xAB || code == 0xBB || code == 0x2033) return '"';
  if (is_between(code, 0x2010, 0x2015) || code == 0x2212 || code == 0xFE58 || code == 0xFE63) return '-';
  return code;
}

}  // namespace

char32_t folded(char32_t code) noexcept {
  if (code < 0x80) return plain_mark(lower(code));
  if (is_accent(code) || is_zero_width(code) || is_variation_selector(code) || is_tag_character(code) ||
      overrides_direction(code))
    return no_character;
  return plain_mark(without_accent(lower(in_plain_style(code))));
}

bool is_in_word(char32_t code) noexcept {
  if (code < 0x80) return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || (code >= '0' && code <= '9');
  const bool is_latin_sign = code < 0xC0 && code != 0xAA && code != 0xB5 && code != 0xBA;
  return !is_latin_sign && code != 0xD7 && code != 0xF7 && !is_between(code, 0x2010, 0x205E) &&
         !is_between(code, 0x3000, 0x3003) && !is_between(code, 0x3008, 0x301F) && !is_between(code, 0xFF61, 0xFF65);
}

std::string folded(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) {
      result += text[0];  // no UTF-8
    } else if (const char32_t code = folded(code_of(text.substr(0, length))); code == ' ') {
      if (!result.ends_with(' ')) result += ' ';
    } else if (code != no_character) {
      append_utf8(result, code);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

}  // namespace tgd::detail
