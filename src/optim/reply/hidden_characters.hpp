// Characters that a reader of a value does not see, or that make another text of it on a screen. Private to the library.
#pragma once

#include <string_view>

namespace tgd::optim::detail {

/// Whether nothing of the text is seen: blanks, and characters without a shape of their own.
bool is_invisible(std::string_view text);

/// Whether UTF-8 text holds what hides or distorts text and the old value does not hold: controls (tabs and line ends apart), a
/// carriage return alone, overrides and isolates of direction, tag characters outside of flags, or several zero-width
/// characters or variation selectors in a row. Single joiners and selectors, as emoji and many scripts need them, are no fault.
bool hides_something(std::string_view text, std::string_view old_value);

}  // namespace tgd::optim::detail
