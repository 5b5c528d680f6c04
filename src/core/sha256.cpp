#include "core/sha256.hpp"

#include <array>
#include <cstddef>
#include <iterator>

#include <fmt/format.h>
#include <openssl/evp.h>

#include <tgd/error.hpp>

namespace tgd::detail {

namespace {

using Digest = std::array<unsigned char, 32>;

Digest digest_of(std::string_view bytes) {
  Digest digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1 || size != digest.size()) {
    throw StateError("OpenSSL gives no SHA-256 here; its configuration has to allow it");
  }
  return digest;
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::string text;
  text.reserve(2 * Digest{}.size());
  for (const unsigned char byte : digest_of(bytes)) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

std::string sha256_base64(std::string_view bytes) {
  const Digest digest = digest_of(bytes);
  std::array<unsigned char, (Digest{}.size() + 2) / 3 * 4 + 1> text{};  // with the zero that EVP_EncodeBlock ends it by
  const int size = EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(digest.size()));
  return {text.begin(), text.begin() + size};
}

}  // namespace tgd::detail
