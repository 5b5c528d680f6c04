// Counts in JSON. Private to the library.
#pragma once

#include <cstdint>
#include <optional>

namespace tgd::detail {

/// A whole number from 0 up; nullopt for anything else. JSON that a program made or edited holds counts as numbers with a sign, JSON
/// that was parsed as numbers without one: both are counts. `Value` is a basic_json.
template <class Value>
std::optional<std::uint64_t> count_in(const Value& value) {
  if (value.is_number_unsigned()) return value.template get<std::uint64_t>();
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.template get<std::int64_t>();
  return number >= 0 ? std::optional(static_cast<std::uint64_t>(number)) : std::nullopt;
}

}  // namespace tgd::detail
