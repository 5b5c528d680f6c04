#include "cognitive/item_metrics.hpp"

#include <utility>

#include "core/storage.hpp"
#include "core/variable_impl.hpp"

namespace tgd {

void detail::add_item_metrics(const Variable& score, std::function<std::map<std::string, double>(std::size_t)> metrics) {
  tgd::detail::impl_of(score)->storage->add_metrics(std::move(metrics));
}

}  // namespace tgd
