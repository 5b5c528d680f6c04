// Where JSON begins and ends in a text that others wrote, before any of it is parsed.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <tgd/export.hpp>

namespace tgd::detail {

/// Deeper JSON is refused where it is compared, copied or written back, all of which recurse: the stack is the bound.
constexpr int deepest_nesting = 500;

/// Where the JSON value that begins at `begin` with a bracket ends; nothing where it does not, or nests deeper than that.
TGD_API std::optional<std::size_t> end_of_brackets(std::string_view text, std::size_t begin);

/// The most brackets that are open at once; those in quoted texts do not count.
TGD_API int nesting(std::string_view json);

}  // namespace tgd::detail
