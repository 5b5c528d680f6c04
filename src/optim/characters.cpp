#include "optim/characters.hpp"

#include <algorithm>
#include <cstddef>
#include <set>

#include "core/utf8.hpp"

namespace tgd::optim::detail {

namespace {

/// Calls visit(code point, place) for each character of valid UTF-8 until it returns false; whether it never did.
template <class Visit>
bool each_character(std::string_view text, const Visit& visit) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::max<std::size_t>(tgd::detail::character_length(text.substr(at)), 1);
    const auto lead = static_cast<unsigned char>(text[at]);
    char32_t code = length == 1 ? lead : static_cast<char32_t>(lead & (0x7FU >> length));
    for (std::size_t i = 1; i < length; ++i) code = (code << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
    if (!visit(code, at)) return false;
    at += length;
  }
  return true;
}

bool is_between(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

bool is_control(char32_t code) {
  return (code < 0x20 && code != '\t' && code != '\n' && code != '\r') || is_between(code, 0x7F, 0x9F);
}

bool overrides_direction(char32_t code) { return is_between(code, 0x202A, 0x202E) || is_between(code, 0x2066, 0x2069); }

bool is_tag(char32_t code) { return is_between(code, 0xE0000, 0xE007F); }

bool is_selector(char32_t code) {
  return is_between(code, 0xFE00, 0xFE0F) || is_between(code, 0xE0100, 0xE01EF) || is_between(code, 0x180B, 0x180D);
}

/// Without a width; what joins emoji and letters is among them.
bool is_zero_width(char32_t code) {
  return code == 0xAD || code == 0x34F || code == 0x61C || code == 0x115F || code == 0x1160 || code == 0x17B4 ||
         code == 0x17B5 || code == 0x180E || is_between(code, 0x200B, 0x200F) || is_between(code, 0x2060, 0x2065) ||
         is_between(code, 0x206A, 0x206F) || code == 0x3164 || code == 0xFEFF || code == 0xFFA0 ||
         is_between(code, 0xFFF9, 0xFFFB);
}

bool is_blank(char32_t code) {
  return code == ' ' || is_between(code, '\t', '\r') || code == 0xA0 || code == 0x1680 || is_between(code, 0x2000, 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x2800 || code == 0x3000;
}

/// A flag of a region is a black flag and then tags that spell its name: as many as any flag has.
constexpr char32_t black_flag = 0x1F3F4;
constexpr std::size_t longest_flag = 6;

/// What hides or distorts: characters, and 0 for several of those that do it together only.
std::set<char32_t> hiding_characters(std::string_view text) {
  std::set<char32_t> found;
  char32_t before = 0;
  std::size_t unseen = 0;  // zero-width characters and selectors in a row
  std::size_t flag_tags = 0;
  each_character(text, [&](char32_t code, std::size_t at) {
    const bool is_lone_return = code == '\r' && (at + 1 == text.size() || text[at + 1] != '\n');
    const bool is_in_flag = is_tag(code) && flag_tags > 0;
    const bool is_hidden_tag = is_tag(code) && !is_in_flag;
    flag_tags = code == black_flag ? longest_flag : is_in_flag ? flag_tags - 1 : 0;
    if (is_control(code) || is_lone_return || overrides_direction(code) || is_hidden_tag) found.insert(code);
    unseen = is_zero_width(code) || is_selector(code) ? unseen + 1 : 0;
    // An emoji may have a selector and then a joiner.
    if (unseen > 2 || (unseen == 2 && is_selector(before) == is_selector(code))) found.insert(0);
    before = code;
    return true;
  });
  return found;
}

}  // namespace

bool is_invisible(std::string_view text) {
  return each_character(text, [](char32_t code, std::size_t) {
    return is_blank(code) || is_zero_width(code) || is_selector(code) || is_tag(code) || is_control(code) ||
           overrides_direction(code);
  });
}

bool hides_something(std::string_view text, std::string_view old_value) {
  const std::set<char32_t> found = hiding_characters(text);
  if (found.empty()) return false;
  const std::set<char32_t> known = hiding_characters(old_value);
  return !std::includes(known.begin(), known.end(), found.begin(), found.end());
}

}  // namespace tgd::optim::detail
