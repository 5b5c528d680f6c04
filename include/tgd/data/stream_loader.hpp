// StreamLoader: a stream of samples as a range of batches, for data whose size is not known before it was read.
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

/// How a StreamLoader cuts a stream into batches.
struct StreamLoaderOptions {
  std::size_t batch_size = 1;
  bool drop_last = false;               ///< leave out a last batch that is not full
  std::vector<std::string> roles = {};  ///< of the Variables in a batch, as DataLoaderOptions has them
};

/// A stream of samples as a range of batches, for data whose size is not known before it was read.
///
///     for (auto [question, answer] : data::StreamLoader(rows.columns("question", "answer"), {.batch_size = 8})) …
///
/// A stream is a range of samples that can be walked over again: a RecordStream, its columns, a std::list, or your own class
/// with begin() and end(). Samples, batches and roles are those of a DataLoader, and so are errors; a record that cannot be
/// read throws out of the loop. One batch at a time is in memory.
/// Thread-safety: that of the stream; iterations are independent of each other and of the loader's life.
/// Model: torch.utils.data.DataLoader over an IterableDataset.
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

  class Reading;
  using Iterator = detail::BatchIterator<Reading>;
  using Range = detail::BatchRange<Iterator>;

  /// Starts the stream anew.
  Iterator begin() const { return Iterator(Reading(source_, 0)); }
  std::default_sentinel_t end() const noexcept { return {}; }
  /// The stream without its first batches, whose samples are read and passed over: for (auto batch : loader.from(17)).
  Range from(std::size_t first_batch) const { return Range(Iterator(Reading(source_, first_batch))); }

 private:
  struct Source {
    S stream;
    Collate collate;
    std::size_t batch_size;
    bool drop_last;
  };

  std::shared_ptr<const Source> source_;
};

/// Where an iteration stands in the stream.
template <Stream S, class Collate>
class StreamLoader<S, Collate>::Reading {
 public:
  using Batch = StreamLoader::Batch;

  void read(std::optional<Batch>& batch) {
    std::vector<Sample> samples;
    while (samples.size() < source_->batch_size && go_on()) samples.push_back(*next_);
    if (samples.empty() || (source_->drop_last && samples.size() < source_->batch_size)) return;
    batch.emplace(source_->collate(std::as_const(samples)));
  }

 private:
  friend class StreamLoader;

  Reading(std::shared_ptr<const Source> source, std::size_t first_batch)
      : source_(std::move(source)), next_(std::ranges::begin(source_->stream)), end_(std::ranges::end(source_->stream)) {
    for (std::size_t skipped = 0; skipped < first_batch * source_->batch_size && go_on(); ++skipped) continue;
  }

  /// To the next sample, if there is one. It is read only when it is needed, so that its errors take no batch along.
  bool go_on() {
    if (std::exchange(is_taken_, false)) ++next_;
    is_taken_ = next_ != end_;
    return is_taken_;
  }

  std::shared_ptr<const Source> source_;
  std::ranges::iterator_t<const S> next_;
  std::ranges::sentinel_t<const S> end_;
  bool is_taken_ = false;
};

}  // namespace tgd::data
