#include "core/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "core/text.hpp"

namespace tgd::detail {

namespace {

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

// How many bytes of ASCII the text begins with, in whole eights: most text is nothing else.
std::size_t ascii_length(std::string_view text) {
  std::size_t length = 0;
  for (std::uint64_t eight = 0; length + sizeof eight <= text.size(); length += sizeof eight) {
    std::memcpy(&eight, text.data() + length, sizeof eight);
    if ((eight & 0x8080808080808080U) != 0) break;
  }
  return length;
}

// Whether the bytes that are there are the beginning of a character, or all of it.
bool begins_character(std::string_view text, const Lead& lead) {
  const std::size_t size = std::min(text.size(), lead.length);
  if (size > 1 && (byte(text, 1) < lead.second_from || byte(text, 1) > lead.second_to)) return false;
  for (std::size_t i = 2; i < size; ++i) {
    if (!is_continuation(text[i])) return false;
  }
  return true;
}

}  // namespace

std::size_t character_length(std::string_view text) noexcept {
  const Lead* lead = text.empty() ? nullptr : lead_of(text);
  return lead != nullptr && text.size() >= lead->length && begins_character(text, *lead) ? lead->length : 0;
}

bool is_cut_off(std::string_view text) noexcept {
  const Lead* lead = text.empty() ? nullptr : lead_of(text);
  return lead != nullptr && text.size() < lead->length && begins_character(text, *lead);
}

void append_utf8(std::string& text, char32_t code) {
  const auto tail = [&](unsigned shift) { text += static_cast<char>(0x80U | ((code >> shift) & 0x3FU)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0U | (code >> 6U));
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0U | (code >> 12U));
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xF0U | (code >> 18U));
    tail(12), tail(6), tail(0);
  }
}

std::size_t valid_length(std::string_view text) noexcept {
  std::size_t valid = ascii_length(text);
  while (const std::size_t length = character_length(text.substr(valid))) {
    valid += length;
    valid += ascii_length(text.substr(valid));
  }
  return valid;
}

bool is_utf8(std::string_view text) noexcept { return valid_length(text) == text.size(); }

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    valid += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return valid;
}

}  // namespace tgd::detail
