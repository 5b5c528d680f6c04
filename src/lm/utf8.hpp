// UTF-8 that arrives in pieces, and bytes that are none within texts that have to be.
#pragma once

#include <string>
#include <string_view>

#include "core/utf8.hpp"

namespace tgd::lm::detail {

using tgd::detail::character_length;

/// Joins characters that were cut between two pieces. What is no UTF-8 becomes U+FFFD.
class Utf8Joiner {
 public:
  /// All characters that are whole with this piece.
  std::string take(std::string_view piece);
  /// What is left at the end: U+FFFD for half a character.
  std::string finish();

 private:
  std::string rest_;  // the beginning of a character
};

/// Turns each byte that belongs to no character into one of 128 characters of a private plane, so that a parser lets it through.
std::string hide_invalid_bytes(std::string_view text);
/// Turns them back.
std::string show_invalid_bytes(std::string_view text);

}  // namespace tgd::lm::detail
