#include "core/sha256.hpp"

#include <array>
#include <atomic>
#include <cstddef>

#include <openssl/evp.h>
#include <tgd/error.hpp>

namespace tgd::detail {

namespace {

std::atomic<std::uint64_t> sums_made = 0;

using Sum = std::array<unsigned char, 32>;

Sum sum_of(std::string_view bytes) {
  Sum sum{};
  unsigned size = 0;
  sums_made.fetch_add(1, std::memory_order_relaxed);
  if (EVP_Digest(bytes.data(), bytes.size(), sum.data(), &size, EVP_sha256(), nullptr) != 1 || size != sum.size()) {
    throw StateError("OpenSSL gives no SHA-256 here; its configuration has to allow it");
  }
  return sum;
}

}  // namespace

std::uint64_t sha256_count() noexcept { return sums_made.load(std::memory_order_relaxed); }

std::string sha256(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * Sum{}.size());
  for (const unsigned char byte : sum_of(bytes)) text.append({digits[byte / 16U], digits[byte % 16U]});
  return text;
}

std::string sha256_base64(std::string_view bytes) {
  const Sum sum = sum_of(bytes);
  std::array<unsigned char, (Sum{}.size() + 2) / 3 * 4 + 1> text{};  // with the zero that EVP_EncodeBlock ends it by
  const int size = EVP_EncodeBlock(text.data(), sum.data(), static_cast<int>(sum.size()));
  return {text.begin(), text.begin() + size};
}

}  // namespace tgd::detail
