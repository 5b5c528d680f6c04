#include "lm/utf8_joiner.hpp"

#include <algorithm>
#include <utility>

namespace tgd::lm::detail {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

using tgd::detail::is_cut_off;

unsigned char byte(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

// The byte 0x80 + i is hidden as the character U+10FF80 + i.
std::string hidden(unsigned char byte) {
  return {'\xF4', '\x8F', byte < 0xC0 ? '\xBE' : '\xBF', static_cast<char>(0x80 | (byte & 0x3F))};
}

bool is_hidden(std::string_view character) {
  return character.size() == 4 && (character.starts_with("\xF4\x8F\xBE") || character.starts_with("\xF4\x8F\xBF"));
}

// Halves of a surrogate pair as three bytes each: ED A0…AF xx and ED B0…BF xx.
constexpr char half_begin = '\xED';
constexpr std::size_t half_size = 3;
constexpr unsigned char first_halves = 0xA0;
constexpr unsigned char second_halves = 0xB0;

bool is_half(std::string_view text, unsigned char kind) {
  return text.size() >= half_size && text[0] == half_begin && (byte(text, 1) & 0xF0) == kind && (byte(text, 2) & 0xC0) == 0x80;
}

std::string joined_halves(std::string_view text) {
  const auto bits = [&](std::size_t at) {
    return (static_cast<unsigned>(byte(text, at + 1) & 0x0F) << 6) | static_cast<unsigned>(byte(text, at + 2) & 0x3F);
  };
  const unsigned code = 0x10000 + (bits(0) << 10) + bits(half_size);
  return {static_cast<char>(0xF0 | (code >> 18)), static_cast<char>(0x80 | ((code >> 12) & 0x3F)),
          static_cast<char>(0x80 | ((code >> 6) & 0x3F)), static_cast<char>(0x80 | (code & 0x3F))};
}

char shown(std::string_view character) {
  return static_cast<char>((byte(character, 2) == 0xBE ? 0x80 : 0xC0) | (byte(character, 3) & 0x3F));
}

}  // namespace

void Utf8Joiner::replace(std::string& whole) {
  if (!mended_at_) mended_at_ = given_ + whole.size();
  whole += replacement;
}

std::string Utf8Joiner::take(std::string_view piece) {
  const std::string joined = std::exchange(rest_, {}).append(piece);
  std::string whole;
  whole.reserve(joined.size());
  for (std::string_view left = joined; !left.empty();) {
    std::size_t length = character_length(left);
    if (length > 0) {
      whole += left.substr(0, length);
    } else if (is_half(left, first_halves)) {
      const std::string_view behind = left.substr(half_size);
      if (behind.empty() || (behind.size() < half_size && behind[0] == half_begin)) {
        rest_ = left;
        break;
      }
      const bool is_pair = is_half(behind, second_halves);
      if (is_pair) whole += joined_halves(left);
      if (!is_pair) replace(whole);
      length = is_pair ? 2 * half_size : half_size;
    } else if (is_cut_off(left)) {
      rest_ = left;
      break;
    } else {
      replace(whole);
      length = is_half(left, second_halves) ? half_size : 1;
    }
    left.remove_prefix(length);
  }
  given_ += whole.size();
  return whole;
}

std::string Utf8Joiner::finish() {
  std::string whole;
  if (!std::exchange(rest_, {}).empty()) replace(whole);
  return whole;
}

std::string hide_invalid_bytes(std::string_view text) {
  std::string result;
  for (; !text.empty();) {
    const std::size_t length = character_length(text);
    if (length == 0) {
      result += hidden(byte(text, 0));
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return result;
}

std::string show_invalid_bytes(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(1, character_length(text));
    const std::string_view character = text.substr(0, length);
    if (is_hidden(character)) {
      result += shown(character);
    } else {
      result += character;
    }
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace tgd::lm::detail
