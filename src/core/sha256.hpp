// SHA-256 (FIPS 180-4), for checksums.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tgd::detail {

/// The digest as 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);
/// The digest in base64 (RFC 4648), padded.
std::string sha256_base64(std::string_view bytes);
/// How many digests this process has computed, so that a test can see that none is computed twice.
std::uint64_t sha256_count() noexcept;

}  // namespace tgd::detail
