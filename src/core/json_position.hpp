// Positions in JSON text, for errors that name file and line; and JSON pointers (RFC 6901).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <tgd/export.hpp>

namespace tgd::detail {

/// Parses JSON text that begins on line `first_line` of `file`. Throws ParseError with file:line:column.
template <class Value = nlohmann::json>
TGD_API Value parse_json(std::string_view text, const std::string& file, std::size_t first_line);
extern template TGD_API nlohmann::json parse_json(std::string_view, const std::string&, std::size_t);
extern template TGD_API nlohmann::ordered_json parse_json(std::string_view, const std::string&, std::size_t);

/// The line (from 1) on which the value at the end of `keys` begins, in valid JSON that has such a value.
TGD_API std::size_t line_of(std::string_view text, std::span<const std::string> keys);

/// The keys of a pointer, and back. Throws ValueError for text that is no pointer.
TGD_API std::vector<std::string> pointer_keys(std::string_view pointer);
TGD_API std::string pointer(const std::vector<std::string>& keys);

}  // namespace tgd::detail
