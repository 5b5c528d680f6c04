// Datasets: anything with size() and operator[], such as a std::vector of samples, an InMemory or the Records of a file.
// InMemory shares its samples between copies; Subset and split() select some of a dataset without copying samples.
//
// Errors: ValueError for an index beyond the end, and for parts that do not add up to the dataset.
// Thread-safety: reading is safe from any number of threads.
// Model: torch.utils.data.Dataset, Subset and random_split.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tgd/export.hpp>

namespace tgd::data {

template <class D>
concept Dataset = requires(const D& dataset, std::size_t i) {
  { dataset.size() } -> std::convertible_to<std::size_t>;
  dataset[i];
};

template <Dataset D>
using sample_t = std::remove_cvref_t<decltype(std::declval<const D&>()[std::size_t{}])>;

namespace detail {

TGD_API void check_index(std::size_t i, std::size_t size);
TGD_API void check_indices(std::span<const std::size_t> indices, std::size_t size);

/// How many samples each part gets. Counts must add up to `size`; ratios to 1, and the largest remainders are rounded up.
TGD_API std::vector<std::size_t> part_sizes(std::size_t size, std::span<const std::int64_t> counts);
TGD_API std::vector<std::size_t> part_sizes(std::size_t size, std::span<const double> ratios);

using Parts = std::vector<std::vector<std::size_t>>;
TGD_API Parts split_indices(std::span<const std::size_t> sizes, std::uint64_t seed);
TGD_API Parts stratified_indices(std::span<const std::string> labels, std::span<const std::size_t> sizes, std::uint64_t seed);

template <class T, std::size_t N>
std::vector<std::size_t> part_sizes_of(std::size_t size, const T (&parts)[N]) {
  if constexpr (std::integral<T>) {
    return part_sizes(size, std::vector<std::int64_t>(parts, parts + N));
  } else {
    return part_sizes(size, std::vector<double>(parts, parts + N));
  }
}

}  // namespace detail

/// Samples in memory. Copies share them.
template <class Sample>
class InMemory {
 public:
  explicit InMemory(std::vector<Sample> samples) : samples_(std::make_shared<const std::vector<Sample>>(std::move(samples))) {}
  InMemory(std::initializer_list<Sample> samples) : InMemory(std::vector<Sample>(samples)) {}

  std::size_t size() const noexcept { return samples_->size(); }
  const Sample& operator[](std::size_t i) const {
    detail::check_index(i, size());
    return (*samples_)[i];
  }

 private:
  std::shared_ptr<const std::vector<Sample>> samples_;
};

/// Some samples of a dataset, in the order of the indices. Copies share the dataset.
template <Dataset D>
class Subset {
 public:
  Subset(D dataset, std::vector<std::size_t> indices)
      : Subset(std::make_shared<const D>(std::move(dataset)), std::move(indices)) {}
  Subset(std::shared_ptr<const D> dataset, std::vector<std::size_t> indices)
      : dataset_(std::move(dataset)), indices_(std::move(indices)) {
    detail::check_indices(indices_, dataset_->size());
  }

  std::size_t size() const noexcept { return indices_.size(); }
  decltype(auto) operator[](std::size_t i) const {
    detail::check_index(i, size());
    return (*dataset_)[indices_[i]];
  }
  /// Where the samples stand in the whole dataset.
  const std::vector<std::size_t>& indices() const noexcept { return indices_; }

 private:
  std::shared_ptr<const D> dataset_;
  std::vector<std::size_t> indices_;
};

namespace detail {

/// The same for samples that have to stay together: those with the same number in `groups`, which count up from 0. A group is dealt
/// out as its first sample's label says; `labels` may be empty.
TGD_API Parts grouped_indices(std::span<const std::size_t> groups, std::span<const std::string> labels,
                              std::span<const std::size_t> sizes, std::uint64_t seed);

template <std::size_t N, Dataset D>
std::array<Subset<D>, N> subsets(std::shared_ptr<const D> dataset, Parts parts) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) { return std::array{Subset<D>(dataset, std::move(parts[I]))...}; }
  (std::make_index_sequence<N>());
}

}  // namespace detail

/// Splits at random, by counts or by ratios: auto [train, test] = split(samples, {0.8, 0.2}, seed).
/// The samples are dealt out in the order of CPython's random.Random(seed).shuffle.
template <Dataset D, class T, std::size_t N>
requires std::is_arithmetic_v<T> std::array<Subset<D>, N> split(D dataset, const T (&parts)[N], std::uint64_t seed = 0) {
  const std::vector<std::size_t> sizes = detail::part_sizes_of(dataset.size(), parts);
  return detail::subsets<N>(std::make_shared<const D>(std::move(dataset)), detail::split_indices(sizes, seed));
}

/// The same, with every label's samples divided among the parts as the whole is. `label_of(sample)` gives the label as text.
template <Dataset D, class LabelOf, class T, std::size_t N>
requires std::is_arithmetic_v<T> && std::is_invocable_r_v < std::string, LabelOf&, const sample_t<D>
& > std::array<Subset<D>, N> stratified_split(D dataset, LabelOf label_of, const T (&parts)[N], std::uint64_t seed = 0) {
  const std::vector<std::size_t> sizes = detail::part_sizes_of(dataset.size(), parts);
  std::vector<std::string> labels;
  labels.reserve(dataset.size());
  for (std::size_t i = 0; i < dataset.size(); ++i) labels.emplace_back(label_of(dataset[i]));
  return detail::subsets<N>(std::make_shared<const D>(std::move(dataset)), detail::stratified_indices(labels, sizes, seed));
}

}  // namespace tgd::data
