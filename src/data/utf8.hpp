// Whether bytes are UTF-8.
#pragma once

#include <string_view>

namespace tgd::data::detail {

/// Well-formed as in table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

}  // namespace tgd::data::detail
