// Digest: what identifies several pieces together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/sha256.hpp"

namespace tgd::detail {

/// Each piece has its length in front, so that no two lists of pieces are the same.
class Digest {
 public:
  Digest& add(std::string_view piece) {
    bytes_.append(std::to_string(piece.size())).append(":").append(piece);
    return *this;
  }
  Digest& add(std::uint64_t number) { return add(std::to_string(number)); }

  /// All pieces in clear, for keys that need not be short.
  const std::string& pieces() const noexcept { return bytes_; }
  /// SHA-256 of the pieces as 64 hexadecimal digits.
  std::string hex() const { return sha256(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace tgd::detail
