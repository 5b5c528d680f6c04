// What loaders of all kinds of samples share: the order of an epoch, and iterators over batches.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tgd/data/sampler.hpp>
#include <tgd/export.hpp>

namespace tgd::data {

struct DataLoaderOptions;

namespace detail {

/// Throws ValueError for 0.
TGD_API void check_batch_size(std::size_t batch_size, const char* loader);

/// The order of one epoch, cut into batches.
struct Epoch {
  std::vector<std::size_t> order;
  std::size_t batch_size = 1;
  std::size_t batches = 0;

  TGD_API std::span<const std::size_t> batch(std::size_t i) const;
};

/// An input iterator that holds the batch it stands on, which `reading.read(batch)` gives; at the end it gives none.
template <class Reading>
class BatchIterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = typename Reading::Batch;
  using difference_type = std::ptrdiff_t;
  using pointer = value_type*;
  using reference = value_type&;

  explicit BatchIterator(Reading reading) : reading_(std::move(reading)) { reading_.read(batch_); }

  reference operator*() const { return *batch_; }
  pointer operator->() const { return &*batch_; }
  BatchIterator& operator++() {
    batch_.reset();
    reading_.read(batch_);
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const BatchIterator& iterator, std::default_sentinel_t) noexcept { return !iterator.batch_; }

 private:
  Reading reading_;
  mutable std::optional<value_type> batch_;  // the loop may write to the batch of an iterator that it does not change
};

/// One pass from some batch on, to be walked over once.
template <class Iterator>
class BatchRange {
 public:
  explicit BatchRange(Iterator first) : first_(std::move(first)) {}

  Iterator begin() const { return first_; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  Iterator first_;
};

/// The part of a DataLoader that does not depend on the type of the samples.
class TGD_API BatchSampler {
 public:
  BatchSampler(std::size_t dataset_size, const DataLoaderOptions& options);

  std::size_t size() const;
  Epoch next_epoch();
  Sampler& sampler() const { return *sampler_; }

 private:
  std::size_t dataset_size_;
  std::size_t batch_size_;
  bool drop_last_;
  std::shared_ptr<Sampler> sampler_;
};

}  // namespace detail

}  // namespace tgd::data
