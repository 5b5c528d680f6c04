// Numbers of things, in words.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace tgd::detail {

/// "1 sample", "2 samples"; where "s" does not make the plural, give it: counted(n, "reply", "replies").
template <class Number>
std::string counted(Number number, std::string_view one, std::string_view many = {}) {
  if (number == 1) return fmt::format("{} {}", number, one);
  return many.empty() ? fmt::format("{} {}s", number, one) : fmt::format("{} {}", number, many);
}

}  // namespace tgd::detail
