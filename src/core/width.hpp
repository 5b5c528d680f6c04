// How much room a text takes on a terminal: letters of East Asia are two columns wide, marks on letters none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tgd::detail {

/// The columns that a line takes. Bytes that are no UTF-8 count as one each.
std::size_t display_width(std::string_view text) noexcept;

/// As much of the beginning as fits into so many columns.
std::string_view first_columns(std::string_view text, std::size_t columns) noexcept;

/// The whole text, or its beginning with "…" in the last column.
std::string fitted(std::string_view text, std::size_t columns);

}  // namespace tgd::detail
