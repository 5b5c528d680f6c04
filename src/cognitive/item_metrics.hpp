// Further metrics of scored items, from whoever measures them. Private to the library and the program.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include <tgd/variable.hpp>

namespace tgd::detail {

/// To what Variable::metrics() says of a score, which nobody else has yet. `metrics` may be called from any thread, when the
/// item is there.
void add_item_metrics(const Variable& score, std::function<std::map<std::string, double>(std::size_t item)> metrics);

}  // namespace tgd::detail
