#include "lm/utf8.hpp"

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

char shown(std::string_view character) {
  return static_cast<char>((byte(character, 2) == 0xBE ? 0x80 : 0xC0) | (byte(character, 3) & 0x3F));
}

}  // namespace

std::string Utf8Joiner::take(std::string_view piece) {
  const std::string joined = std::exchange(rest_, {}).append(piece);
  std::string whole;
  whole.reserve(joined.size());
  for (std::string_view left = joined; !left.empty();) {
    const std::size_t length = character_length(left);
    if (length == 0 && is_cut_off(left)) {
      rest_ = left;
      break;
    }
    whole += length == 0 ? replacement : left.substr(0, length);
    left.remove_prefix(std::max<std::size_t>(1, length));
  }
  return whole;
}

std::string Utf8Joiner::finish() { return std::exchange(rest_, {}).empty() ? std::string() : std::string(replacement); }

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
