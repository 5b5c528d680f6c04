// Positions in JSON text, for errors that name file and line; and JSON pointers (RFC 6901).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace tgd::detail {

/// Parses JSON text that begins on line `first_line` of `file`. Throws ParseError with file:line:column.
template <class Value = nlohmann::json>
Value parse_json(std::string_view text, const std::string& file, std::size_t first_line);
extern template nlohmann::json parse_json(std::string_view, const std::string&, std::size_t);
extern template nlohmann::ordered_json parse_json(std::string_view, const std::string&, std::size_t);

/// The line (from 1) on which the value at the end of `keys` begins, in valid JSON that has such a value.
std::size_t line_of(std::string_view text, std::span<const std::string> keys);

/// The keys of a pointer, and back. Throws ValueError for text that is no pointer.
std::vector<std::string> pointer_keys(std::string_view pointer);
std::string pointer(const std::vector<std::string>& keys);

}  // namespace tgd::detail
