// Text as it is compared where its spelling does not count, by Unicode's tables (utf8proc). Three steps, each of which takes the
// one before in:
//   plain_form      how it is stored does not count: normal form, line ends, kinds of blanks, what nobody sees
//   caseless_form   upper and lower case, width and style do not count (NFKC_Casefold)
//   folded          accents and forms of quotation marks and dashes do not count, either; for finding copies
// Text that is no UTF-8 keeps the bytes that are none. Private to the library and the program.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tgd::detail {

/// Composed (NFC), with line feeds at line ends and plain spaces, without marks of direction, soft hyphens and the like.
std::string plain_form(std::string_view text);

/// "STRASSE", "Straße" and "ｓｔｒａｓｓｅ" are one.
std::string caseless_form(std::string_view text);

/// Every letter in lower case, for people to read: "Élevé" is "élevé".
std::string in_lower_case(std::string_view text);
bool has_upper_case(std::string_view text);

/// Takes the place of a character that is left out.
inline constexpr char32_t no_character = 0;

/// What a character is compared as. One that is several letters (a ligature) stays.
char32_t folded(char32_t code) noexcept;

/// Whether a character is part of a word: a letter, a digit, a mark on one, or a sign such as an emoji.
bool is_in_word(char32_t code) noexcept;
bool is_letter(char32_t code) noexcept;
/// An accent, or another sign that belongs to the letter before it.
bool is_mark(char32_t code) noexcept;
/// Of a script that is written without blanks between words: ideographs, kana, Thai, Lao, Khmer, Burmese.
bool is_unspaced(char32_t code) noexcept;
bool is_currency(char32_t code) noexcept;

/// The folded text; white space in a row is one space.
std::string folded(std::string_view text);

}  // namespace tgd::detail
