// What a program has printed, by patterns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/pattern.hpp"

namespace tgd::test {

/// What the only group of a pattern holds on each line that it is found on.
inline std::vector<std::string> found_on_lines(std::string_view text, const std::string& pattern) {
  const detail::Pattern compiled(pattern);
  std::vector<std::string> found;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (auto match = compiled.find(text.substr(0, end))) found.push_back(*std::move(match));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return found;
}

inline std::vector<double> numbers_on_lines(std::string_view text, const std::string& pattern) {
  std::vector<double> numbers;
  for (const std::string& found : found_on_lines(text, pattern)) numbers.push_back(std::stod(found));
  return numbers;
}

}  // namespace tgd::test
