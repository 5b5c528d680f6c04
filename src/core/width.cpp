#include "core/width.hpp"

#include <algorithm>

#include <utf8proc.h>

#include "core/characters.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

struct Character {
  std::size_t bytes;
  std::size_t columns;
};

Character first_character(std::string_view text) noexcept {
  const std::size_t length = character_length(text);
  if (length == 0) return {1, 1};
  const int width = ::utf8proc_charwidth(static_cast<utf8proc_int32_t>(code_of(text.substr(0, length))));
  return {length, static_cast<std::size_t>(std::max(width, 0))};
}

}  // namespace

std::string_view first_columns(std::string_view text, std::size_t columns) noexcept {
  std::size_t taken = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_character(text.substr(at));
    taken += character.columns;
    if (taken > columns) return text.substr(0, at);
    at += character.bytes;
  }
  return text;
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t taken = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_character(text.substr(at));
    taken += character.columns;
    at += character.bytes;
  }
  return taken;
}

std::string fitted(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  return columns == 0 ? std::string() : std::string(first_columns(text, columns - 1)) + "…";
}

}  // namespace tgd::detail
