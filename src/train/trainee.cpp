#include <tgd/train/trainee.hpp>

#include <memory>

#include "core/variable_impl.hpp"

namespace tgd::detail {

Variable part_of(const Variable& batch, std::span<const std::size_t> samples) {
  if (!batch.is_batch()) return batch;
  const Storage& whole = *impl_of(batch)->storage;
  std::vector<Item> items;
  Problems problems;
  std::vector<SampleOrigin> origins;
  for (const std::size_t i : samples) {
    ProblemPtr problem = whole.problem(i);
    if (problem) problems.emplace(items.size(), problem);
    if (const SampleOrigin* origin = whole.origin(i)) origins.push_back(*origin);
    items.push_back({whole.item(i), std::move(problem)});
  }
  auto part = std::make_shared<Storage>(whole_of(std::move(items)), std::move(problems));
  if (origins.size() == samples.size())
    part->set_origins(std::make_shared<const std::vector<SampleOrigin>>(std::move(origins)));
  return make_variable(std::move(part), Role(batch.role()), batch.requires_grad());
}

}  // namespace tgd::detail
