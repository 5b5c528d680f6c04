// The difference of two texts, for people.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tgd::lm::detail {

/// Lines with "- " are only in `before`, lines with "+ " only in `after`; up to two equal lines stand around them, and "..." for
/// further ones. Long lines are cut to what differs. At most about `limit` bytes.
std::string line_diff(std::string_view before, std::string_view after, std::size_t limit);

}  // namespace tgd::lm::detail
