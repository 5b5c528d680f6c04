// StreamLoader: a stream of samples as a range of batches, for data whose size is not known before it was read.
//
//   for (auto [question, answer] : data::StreamLoader(rows.columns("question", "answer"), {.batch_size = 8})) …
//
// A stream is a range of samples that can be walked over again: a RecordStream, its columns, a std::list, or your own class with
// begin() and end(). Samples, batches and roles are those of a DataLoader, and so are errors; a record that cannot be read
// throws out of the loop. One batch at a time is in memory.
// Thread-safety: that of the stream; iterations are independent of each other and of the loader's life.
// Model: torch.utils.data.DataLoader over an IterableDataset.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tgd/data/data_loader.hpp>
#include <tgd/export.hpp>

namespace tgd::data {

template <class S>
concept Stream = std::ranges::input_range<const S> && std::copy_constructible<S>;

struct StreamLoaderOptions {
  std::size_t batch_size = 1;
  bool drop_last = false;               ///< leave out a last batch that is not full
  std::vector<std::string> roles = {};  ///< of the Variables in a batch, as DataLoaderOptions has them
};

template <Stream S, class Collate = DefaultCollate>
class StreamLoader {
 public:
  using Sample = std::remove_cvref_t<std::ranges::range_reference_t<const S>>;
  using Batch = std::invoke_result_t<const Collate&, const std::vector<Sample>&>;

  explicit StreamLoader(S stream, const StreamLoaderOptions& options = {}) requires std::same_as<Collate, DefaultCollate>
      : StreamLoader(std::move(stream), options, DefaultCollate{options.roles}) {}
  /// With the caller's own way of collating; options.roles are not used then.
  StreamLoader(S stream, const StreamLoaderOptions& options, Collate collate)
      : source_(std::make_shared<const Source>(
            Source{std::move(stream), std::move(collate), options.batch_size, options.drop_last})) {
    detail::check_batch_size(options.batch_size, "StreamLoader");
  }

  class Iterator;

  /// Starts the stream anew.
  Iterator begin() const { return Iterator(source_); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  struct Source {
    S stream;
    Collate collate;
    std::size_t batch_size;
    bool drop_last;
  };

  std::shared_ptr<const Source> source_;
};

/// An input iterator that holds the batch it stands on.
template <Stream S, class Collate>
class StreamLoader<S, Collate>::Iterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = Batch;
  using difference_type = std::ptrdiff_t;
  using pointer = Batch*;
  using reference = Batch&;

  reference operator*() const { return *batch_; }
  pointer operator->() const { return &*batch_; }
  Iterator& operator++() {
    load();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& iterator, std::default_sentinel_t) noexcept { return !iterator.batch_; }

 private:
  friend class StreamLoader;

  explicit Iterator(std::shared_ptr<const Source> source)
      : source_(std::move(source)), next_(std::ranges::begin(source_->stream)), end_(std::ranges::end(source_->stream)) {
    load();
  }

  void load() {
    batch_.reset();
    std::vector<Sample> samples;
    while (samples.size() < source_->batch_size) {
      if (std::exchange(is_taken_, false)) ++next_;
      if (next_ == end_) break;
      samples.push_back(*next_);
      is_taken_ = true;  // the next sample is read when it is needed, so that its errors take no batch along
    }
    if (samples.empty() || (source_->drop_last && samples.size() < source_->batch_size)) return;
    batch_.emplace(source_->collate(std::as_const(samples)));
  }

  std::shared_ptr<const Source> source_;
  std::ranges::iterator_t<const S> next_;
  std::ranges::sentinel_t<const S> end_;
  bool is_taken_ = false;
  mutable std::optional<Batch> batch_;  // the loop may write to the batch of an iterator that it does not change
};

}  // namespace tgd::data
