// An enum's values and their names, which stand together in one table.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace tgd::detail {

template <class Enum, std::size_t count>
using EnumNames = std::array<std::pair<Enum, const char*>, count>;

/// Null for a value that the table does not have.
template <class Enum, std::size_t count>
constexpr const char* name_in(const EnumNames<Enum, count>& names, Enum wanted) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.first == wanted; });
  return found == names.end() ? nullptr : found->second;
}

/// The names, each with its value.
template <class Enum, std::size_t count>
std::vector<std::pair<std::string, Enum>> by_name(const EnumNames<Enum, count>& names) {
  std::vector<std::pair<std::string, Enum>> all;
  for (const auto& [value, name] : names) all.emplace_back(name, value);
  return all;
}

}  // namespace tgd::detail
