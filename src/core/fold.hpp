// Text as it is compared where its spelling does not count: in one case, with plain quotation marks, dashes and spaces, without
// accents and what has no width; letters of other widths and styles (fullwidth, mathematical) are the plain ones. It follows NFKC and
// case folding for Latin, Greek and Cyrillic letters as far as a letter becomes one letter.
// Private to the library.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tgd::detail {

/// Takes the place of a character that is left out.
inline constexpr char32_t no_character = 0;

/// What a character is compared as.
char32_t folded(char32_t code) noexcept;

/// Whether a folded character is part of a word: a letter or a digit, or what is no punctuation as far as is known.
bool is_in_word(char32_t folded) noexcept;

/// The folded text; white space in a row is one space.
std::string folded(std::string_view text);

}  // namespace tgd::detail
