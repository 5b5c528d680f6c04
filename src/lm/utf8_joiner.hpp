// UTF-8 that arrives in pieces, and bytes that are none within texts that have to be.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/utf8.hpp"

namespace tgd::lm::detail {

using tgd::detail::character_length;

/// Joins characters that were cut between two pieces, also between the two halves of a surrogate pair that each came as three bytes.
/// What is no UTF-8 becomes U+FFFD.
class Utf8Joiner {
 public:
  /// All characters that are whole with this piece.
  std::string take(std::string_view piece);
  /// What is left at the end: U+FFFD for half a character.
  std::string finish();
  /// Where in the joined text the first U+FFFD stands that is not the sender's own, in bytes.
  std::optional<std::size_t> mended_at() const { return mended_at_; }

 private:
  void replace(std::string& whole);

  std::string rest_;  // the beginning of a character
  std::size_t given_ = 0;
  std::optional<std::size_t> mended_at_;
};

/// Turns each byte that belongs to no character into one of 128 characters of a private plane, so that a parser lets it through.
std::string hide_invalid_bytes(std::string_view text);
/// Turns them back.
std::string show_invalid_bytes(std::string_view text);

}  // namespace tgd::lm::detail
