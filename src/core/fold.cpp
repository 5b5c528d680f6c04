#include "core/fold.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include <utf8proc.h>

#include "core/characters.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

/// A code as utf8proc takes it.
utf8proc_int32_t raw(char32_t code) { return static_cast<utf8proc_int32_t>(code); }

/// Calls `character(code)` for each character and `byte(c)` for what is none.
template <class Character, class Byte>
void for_each_character(std::string_view text, const Character& character, const Byte& byte) {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) {
      byte(text[0]);
    } else {
      character(code_of(text.substr(0, length)));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Valid UTF-8 in another form.
std::string mapped_valid(std::string_view text, int options) {
  utf8proc_uint8_t* result = nullptr;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const utf8proc_ssize_t length =
      utf8proc_map(bytes, static_cast<utf8proc_ssize_t>(text.size()), &result, static_cast<utf8proc_option_t>(options));
  const auto release = [](utf8proc_uint8_t* memory) { std::free(memory); };  // utf8proc allocates as C does
  const std::unique_ptr<utf8proc_uint8_t, decltype(release)> owner(result, release);
  return length < 0 ? std::string(text) : std::string(reinterpret_cast<const char*>(result), static_cast<std::size_t>(length));
}

std::string mapped(std::string_view text, int options) {
  std::string result;
  while (!text.empty()) {
    const std::size_t valid = valid_length(text);
    if (valid > 0) result += mapped_valid(text.substr(0, valid), options);
    text.remove_prefix(valid);
    if (text.empty()) break;
    result += text[0];
    text.remove_prefix(1);
  }
  return result;
}

/// Invisible, and without a meaning for the letters beside it; joiners have one.
bool is_unseen(char32_t code) {
  return code == 0xAD || code == 0x61C || code == 0x200B || code == 0x200E || code == 0x200F || code == 0x2060 ||
         code == 0xFEFF || overrides_direction(code);
}

bool is_line_end(char32_t code) { return code == '\r' || code == 0x85 || code == 0x2028 || code == 0x2029; }

/// With line feeds and plain spaces.
std::string with_plain_blanks(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool after_return = false;
  for_each_character(
      text,
      [&](char32_t code) {
        const bool is_second_half = code == '\n' && after_return;
        after_return = code == '\r';
        if (is_second_half || is_unseen(code)) return;
        const bool is_plain = code == '\n' || code == '\t' || code == '\v' || code == '\f';
        append_utf8(result, is_line_end(code) ? U'\n' : !is_plain && is_blank(code) ? U' ' : code);
      },
      [&](char c) {
        after_return = false;
        result += c;
      });
  return result;
}

/// Letters with a stroke, which Unicode does not take for an accent.
char32_t without_stroke(char32_t code) {
  constexpr std::u32string_view stroked = U"đħłŧøıŀŉ";
  constexpr std::u32string_view plain = U"dhltoiln";
  const std::size_t at = stroked.find(code);
  return at == std::u32string_view::npos ? code : plain[at];
}

bool is_accent(char32_t code) { return is_between(code, 0x300, 0x36F); }

/// A character in lower case and without its accents, where one character is left.
char32_t without_accents(char32_t code) {
  std::array<utf8proc_int32_t, 32> parts{};
  constexpr int options = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
  int boundary = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(raw(code), parts.data(), static_cast<utf8proc_ssize_t>(parts.size()),
                                                         static_cast<utf8proc_option_t>(options), &boundary);
  if (count <= 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) return code;
  const auto end = std::remove_if(parts.begin(), parts.begin() + count,
                                  [](utf8proc_int32_t part) { return is_accent(static_cast<char32_t>(part)); });
  if (end - parts.begin() == 1) return without_stroke(static_cast<char32_t>(parts[0]));
  return static_cast<char32_t>(utf8proc_tolower(raw(code)));
}

char32_t plain_mark(char32_t code) {
  if (is_blank(code)) return ' ';
  if (is_between(code, 0x2018, 0x201B) || code == 0x2032 || code == 0x2BC || code == 0x60 || code == 0xB4) return '\'';
  if (is_between(code, 0x201C, 0x201F) || code == 0xAB || code == 0xBB || code == 0x2033) return '"';
  if (is_between(code, 0x2010, 0x2015) || code == 0x2212 || code == 0xFE58 || code == 0xFE63) return '-';
  return code;
}

}  // namespace

std::string plain_form(std::string_view text) {
  if (is_ascii(text) && text.find('\r') == std::string_view::npos) return std::string(text);
  return mapped(with_plain_blanks(text), UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

std::string caseless_form(std::string_view text) {
  return mapped(with_plain_blanks(text),
                UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
}

std::string in_lower_case(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for_each_character(
      text, [&](char32_t code) { append_utf8(result, static_cast<char32_t>(utf8proc_tolower(raw(code)))); },
      [&](char c) { result += c; });
  return result;
}

bool has_upper_case(std::string_view text) { return in_lower_case(text) != text; }

char32_t folded(char32_t code) noexcept {
  if (code < 0x80) return plain_mark(code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code);
  if (is_accent(code) || is_zero_width(code) || is_variation_selector(code) || is_tag_character(code) ||
      overrides_direction(code))
    return no_character;
  const char32_t plain = plain_mark(code);
  return plain != code ? plain : plain_mark(without_accents(code));
}

bool is_in_word(char32_t code) noexcept {
  if (code < 0x80) return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || (code >= '0' && code <= '9');
  const utf8proc_category_t category = utf8proc_category(raw(code));
  return category <= UTF8PROC_CATEGORY_NO || (category == UTF8PROC_CATEGORY_SO && code > 0xFF);
}

bool is_letter(char32_t code) noexcept {
  const utf8proc_category_t category = utf8proc_category(raw(code));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_mark(char32_t code) noexcept {
  const utf8proc_category_t category = utf8proc_category(raw(code));
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_unspaced(char32_t code) noexcept {
  if (code < 0xE00) return false;
  return (is_ideograph(code) || is_between(code, 0xE00, 0xEFF) || is_between(code, 0x1000, 0x109F) ||
          is_between(code, 0x1780, 0x17FF) || is_between(code, 0xFF66, 0xFF9F)) &&
         (is_letter(code) || is_mark(code));
}

bool is_currency(char32_t code) noexcept { return utf8proc_category(raw(code)) == UTF8PROC_CATEGORY_SC; }

std::string folded(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for_each_character(
      text,
      [&](char32_t character) {
        const char32_t code = folded(character);
        if (code == no_character || (code == ' ' && result.ends_with(' '))) return;
        append_utf8(result, code);
      },
      [&](char c) { result += c; });
  return result;
}

}  // namespace tgd::detail
