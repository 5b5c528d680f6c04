#include "core/brackets.hpp"

#include <algorithm>

namespace tgd::detail {

namespace {

/// Calls `visit(position, depth after it)` for each bracket outside of quoted texts until it returns false.
template <class Visit>
void visit_brackets(std::string_view text, std::size_t begin, const Visit& visit) {
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[' || c == '}' || c == ']') {
      depth += c == '{' || c == '[' ? 1 : -1;
      if (!visit(i, depth)) return;
    }
  }
}

}  // namespace

std::optional<std::size_t> end_of_brackets(std::string_view text, std::size_t begin) {
  std::optional<std::size_t> end;
  visit_brackets(text, begin, [&](std::size_t at, int depth) {
    if (depth == 0) end = at + 1;
    return depth > 0 && depth <= deepest_nesting;
  });
  return end;
}

int nesting(std::string_view json) {
  int most = 0;
  visit_brackets(json, 0, [&](std::size_t, int depth) {
    most = std::max(most, depth);
    return true;
  });
  return most;
}

}  // namespace tgd::detail
