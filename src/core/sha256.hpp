// SHA-256 (FIPS 180-4), for checksums.
#pragma once

#include <string>
#include <string_view>

#include <tgd/export.hpp>

namespace tgd::detail {

/// The digest as 64 lower-case hexadecimal digits.
TGD_API std::string sha256(std::string_view bytes);
/// The digest in base64 (RFC 4648), padded.
TGD_API std::string sha256_base64(std::string_view bytes);

}  // namespace tgd::detail
