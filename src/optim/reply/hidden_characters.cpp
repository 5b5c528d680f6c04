#include "optim/reply/hidden_characters.hpp"

#include <algorithm>
#include <cstddef>
#include <set>

#include "core/characters.hpp"
#include "core/utf8.hpp"

namespace tgd::optim::detail {

namespace {

using tgd::detail::is_between;
using tgd::detail::is_blank;
using tgd::detail::is_tag_character;
using tgd::detail::is_variation_selector;
using tgd::detail::is_zero_width;
using tgd::detail::overrides_direction;

/// Calls visit(code point, place) for each character of valid UTF-8 until it returns false; whether it never did.
template <class Visit>
bool each_character(std::string_view text, const Visit& visit) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::max<std::size_t>(tgd::detail::character_length(text.substr(at)), 1);
    const char32_t code = tgd::detail::code_of(text.substr(at, length));
    if (!visit(code, at)) return false;
    at += length;
  }
  return true;
}

bool is_control(char32_t code) {
  return (code < 0x20 && code != '\t' && code != '\n' && code != '\r') || is_between(code, 0x7F, 0x9F);
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
    const bool is_in_flag = is_tag_character(code) && flag_tags > 0;
    const bool is_hidden_tag = is_tag_character(code) && !is_in_flag;
    flag_tags = code == black_flag ? longest_flag : is_in_flag ? flag_tags - 1 : 0;
    if (is_control(code) || is_lone_return || overrides_direction(code) || is_hidden_tag) found.insert(code);
    unseen = is_zero_width(code) || is_variation_selector(code) ? unseen + 1 : 0;
    // An emoji may have a selector and then a joiner.
    if (unseen > 2 || (unseen == 2 && is_variation_selector(before) == is_variation_selector(code))) found.insert(0);
    before = code;
    return true;
  });
  return found;
}

}  // namespace

bool is_invisible(std::string_view text) {
  return each_character(text, [](char32_t code, std::size_t) {
    return is_blank(code) || is_zero_width(code) || is_variation_selector(code) || is_tag_character(code) || is_control(code) ||
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
