#include "lm/utf8.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.hpp"

namespace tgd::lm::detail {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// What a character's first byte says: how long it is and which second bytes may follow (table 3-7 of the Unicode standard).
struct Lead {
  unsigned char first;
  unsigned char last;
  std::size_t length;
  unsigned char second_from;
  unsigned char second_to;
};
constexpr std::array leads = {
    Lead{0x00, 0x7F, 1, 0x80, 0xBF}, Lead{0xC2, 0xDF, 2, 0x80, 0xBF}, Lead{0xE0, 0xE0, 3, 0xA0, 0xBF},
    Lead{0xE1, 0xEC, 3, 0x80, 0xBF}, Lead{0xED, 0xED, 3, 0x80, 0x9F}, Lead{0xEE, 0xEF, 3, 0x80, 0xBF},
    Lead{0xF0, 0xF0, 4, 0x90, 0xBF}, Lead{0xF1, 0xF3, 4, 0x80, 0xBF}, Lead{0xF4, 0xF4, 4, 0x80, 0x8F}};

unsigned char byte(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

const Lead* lead_of(std::string_view text) {
  const auto found = std::find_if(leads.begin(), leads.end(), [first = byte(text, 0)](const Lead& lead) {
    return first >= lead.first && first <= lead.last;
  });
  return found == leads.end() ? nullptr : &*found;
}

// Whether the bytes that are there are the beginning of a character, or all of it.
bool begins_character(std::string_view text, const Lead& lead) {
  const std::size_t size = std::min(text.size(), lead.length);
  if (size > 1 && (byte(text, 1) < lead.second_from || byte(text, 1) > lead.second_to)) return false;
  for (std::size_t i = 2; i < size; ++i) {
    if (!tgd::detail::is_continuation(text[i])) return false;
  }
  return true;
}

bool is_cut_off(std::string_view text) {
  const Lead* lead = lead_of(text);
  return lead != nullptr && text.size() < lead->length && begins_character(text, *lead);
}

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

std::size_t character_length(std::string_view text) {
  const Lead* lead = text.empty() ? nullptr : lead_of(text);
  return lead != nullptr && text.size() >= lead->length && begins_character(text, *lead) ? lead->length : 0;
}

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
