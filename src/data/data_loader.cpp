#include <tgd/data/data_loader.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "core/text.hpp"
#include "core/variable_impl.hpp"

namespace tgd::data::detail {

namespace {

std::string place_of(const std::string& position) { return position.empty() ? "" : fmt::format(" at position {}", position); }

std::string quoted(const std::vector<std::string>& names) {
  return names.empty() ? "no fields" : fmt::format("\"{}\"", tgd::detail::join(names, "\", \""));
}

std::shared_ptr<Sampler> sampler_of(std::size_t dataset_size, const DataLoaderOptions& options) {
  if (options.sampler && options.shuffle) {
    throw ValueError("DataLoader has both a sampler and shuffle; the sampler decides the order, so leave shuffle off");
  }
  if (options.sampler) return options.sampler;
  if (options.shuffle) return std::make_shared<RandomSampler>(dataset_size, options.seed);
  return std::make_shared<SequentialSampler>(dataset_size);
}

std::size_t batches_of(std::size_t samples, std::size_t batch_size, bool drop_last) {
  const bool has_rest = samples % batch_size != 0;
  return samples / batch_size + (has_rest && !drop_last ? 1 : 0);
}

}  // namespace

Variable collate_column(const std::vector<Variable>& column, const std::string& position, const std::string& role) {
  std::vector<tgd::detail::Item> items;
  tgd::detail::Problems problems;
  std::vector<SampleOrigin> origins;
  items.reserve(column.size());
  bool requires_grad = false;
  for (const Variable& item : column) {
    if (item.is_batch()) {
      throw ValueError(fmt::format("sample {} of the batch{} is a list already; samples are collated out of single values",
                                   items.size(), place_of(position)));
    }
    const tgd::detail::Storage& storage = *tgd::detail::impl_of(item)->storage;
    const tgd::detail::ProblemPtr problem = storage.problem(0);
    if (!items.empty() && !problem && !items.front().problem && item.data().is_text() != items.front().data.is_text()) {
      throw TypeError(fmt::format("sample {} of the batch{} is {}, but sample 0 is {}; a batch is all text or all numbers",
                                  items.size(), place_of(position), item.data().description(),
                                  items.front().data.description()));
    }
    if (problem) problems.emplace(items.size(), problem);
    if (const SampleOrigin* origin = storage.origin(0)) origins.push_back(*origin);
    items.push_back({item.data(), problem});
    requires_grad = requires_grad || item.requires_grad();
  }
  auto batch = std::make_shared<tgd::detail::Storage>(tgd::detail::whole_of(std::move(items)), std::move(problems));
  if (origins.size() == column.size())
    batch->set_origins(std::make_shared<const std::vector<SampleOrigin>>(std::move(origins)));
  return tgd::detail::make_variable(std::move(batch), tgd::detail::Role(role.empty() ? column.at(0).role() : role),
                                    requires_grad);
}

void number_samples(const Variable& batch, std::span<const std::size_t> numbers) {
  tgd::detail::Storage& storage = *tgd::detail::impl_of(batch)->storage;
  if (storage.origins() || storage.size() != numbers.size()) return;
  std::vector<SampleOrigin> origins;
  for (const std::size_t number : numbers) origins.push_back({nullptr, number, 0});
  storage.set_origins(std::make_shared<const std::vector<SampleOrigin>>(std::move(origins)));
}

std::string role_at(const std::vector<std::string>& roles, std::size_t position, std::size_t positions) {
  if (roles.empty()) return {};
  if (roles.size() != positions) {
    throw ValueError(
        fmt::format("{} roles for samples of {} values; give one role for each value, or none", roles.size(), positions));
  }
  return roles[position];
}

void check_same_names(const std::vector<std::string>& names, const std::vector<std::string>& expected, std::size_t sample) {
  if (names == expected) return;
  throw ValueError(
      fmt::format("sample {} of the batch has {}, but sample 0 has {}; all samples of a batch need the same fields", sample,
                  quoted(names), quoted(expected)));
}

void check_batch_size(std::size_t batch_size, const char* loader) {
  if (batch_size == 0) throw ValueError(fmt::format("{} has a batch_size of 0; expected 1 or more", loader));
}

std::span<const std::size_t> Epoch::batch(std::size_t i) const {
  const std::size_t begin = i * batch_size;
  return std::span(order).subspan(begin, std::min(batch_size, order.size() - begin));
}

BatchSampler::BatchSampler(std::size_t dataset_size, const DataLoaderOptions& options)
    : dataset_size_(dataset_size),
      batch_size_(options.batch_size),
      drop_last_(options.drop_last),
      sampler_(sampler_of(dataset_size, options)) {
  check_batch_size(batch_size_, "DataLoader");
}

std::size_t BatchSampler::size() const { return batches_of(sampler_->size(), batch_size_, drop_last_); }

Epoch BatchSampler::next_epoch() {
  Epoch epoch{sampler_->next_epoch(), batch_size_, 0};
  check_indices(epoch.order, dataset_size_);
  epoch.batches = batches_of(epoch.order.size(), batch_size_, drop_last_);
  return epoch;
}

}  // namespace tgd::data::detail
