// Excerpts of other people's text for error messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tgd::detail {

/// At most `limit` bytes of `text` on one line, cut at a UTF-8 boundary and marked with "..." when something is missing.
/// Runs of white space and control characters become one space, invalid UTF-8 becomes U+FFFD.
std::string one_line(std::string_view text, std::size_t limit = 200);

/// An excerpt in double quotes.
std::string in_quotes(std::string_view text);

}  // namespace tgd::detail
