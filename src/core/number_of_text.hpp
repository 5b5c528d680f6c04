// The number that a text is, as programs write it. Numbers as people write them: core/number_text.hpp.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace tgd::detail {

/// Nothing where something stands before or behind it, or it does not fit.
template <class Number>
std::optional<Number> number_of_text(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

}  // namespace tgd::detail
