// What a filter of streamed text lets through.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tgd::test {

/// The whole of it, of a text that arrives in pieces of so many bytes.
template <class Filter>
std::string in_pieces(std::string_view text, std::size_t length) {
  Filter filter;
  std::string given;
  for (std::size_t at = 0; at < text.size(); at += length) given += filter.take(text.substr(at, length));
  return given + filter.finish();
}

}  // namespace tgd::test
