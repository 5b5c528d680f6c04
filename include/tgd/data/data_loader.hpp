// DataLoader: a dataset as a range of batches.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tgd/data/collate.hpp>
#include <tgd/data/dataset.hpp>
#include <tgd/data/detail/batches.hpp>
#include <tgd/data/sampler.hpp>
#include <tgd/json.hpp>

namespace tgd::data {

/// How a DataLoader cuts a dataset into batches. What contradicts itself is a ValueError of its constructor.
struct DataLoaderOptions {
  std::size_t batch_size = 1;
  bool shuffle = false;                        ///< RandomSampler(dataset size, seed)
  std::shared_ptr<Sampler> sampler = nullptr;  ///< instead of shuffle; else in the order of the dataset
  bool drop_last = false;                      ///< leave out a last batch that is not full
  std::uint64_t seed = 0;
  std::vector<std::string> roles = {};  ///< of the Variables in a batch, by position (of a map: in the order of its keys)
};

/// A dataset as a range of batches.
///
///     data::DataLoader loader(rows.columns("question", "answer"), {.batch_size = 8, .shuffle = true, .seed = 1});
///     for (auto [question, answer] : loader) …   // two batch Variables of 8 items (fewer in the last batch)
///
/// Samples are Variables or what a Variable can be made of, tuples of these (pairs and arrays, too), or std::maps from names
/// to them. They are collated position by position: a batch is a Variable, a tuple of Variables or a map of Variables whose
/// data are lists. A collated Variable has the given role, or that of its first sample, or, in a map, its name.
/// Another way of collating can be given as a function from a vector of samples.
///
/// Every begin() starts the sampler's next epoch. Iterations are independent of each other and of the loader's life.
/// Errors: ValueError for options that contradict each other, and for samples that do not fit together; TypeError for texts and
/// numbers in one position. A sample that throws when it is read throws out of the loop.
/// Thread-safety: begin(), from() and load_state_dict() need the caller's own order; iterations may run on any thread.
/// Model: torch.utils.data.DataLoader.
template <Dataset D, class Collate = DefaultCollate>
class DataLoader {
 public:
  using Sample = sample_t<D>;
  using Batch = std::invoke_result_t<const Collate&, const std::vector<Sample>&>;

  /// Keeps a copy of the dataset: the datasets of this library are cheap to copy; move your own in.
  explicit DataLoader(D dataset, const DataLoaderOptions& options = {}) requires std::same_as<Collate, DefaultCollate>
      : DataLoader(std::move(dataset), options, DefaultCollate{options.roles}) {}
  /// With the caller's own way of collating; options.roles are not used then.
  DataLoader(D dataset, const DataLoaderOptions& options, Collate collate)
      : batch_sampler_(std::make_shared<detail::BatchSampler>(dataset.size(), options)),
        source_(std::make_shared<const Source>(Source{std::move(dataset), std::move(collate)})) {}

  /// How many batches an epoch has.
  std::size_t size() const { return batch_sampler_->size(); }
  /// How many samples an epoch visits, those of a dropped last batch included.
  std::size_t samples() const { return batch_sampler_->sampler().size(); }
  const D& dataset() const noexcept { return source_->dataset; }

  class Reading;
  using Iterator = detail::BatchIterator<Reading>;
  using Range = detail::BatchRange<Iterator>;

  /// Starts the next epoch.
  Iterator begin() const { return epoch_from(0); }
  std::default_sentinel_t end() const noexcept { return {}; }
  /// The next epoch without its first batches, which are not read: for (auto batch : loader.from(17)).
  Range from(std::size_t first_batch) const { return Range(epoch_from(first_batch)); }

  /// What the epochs to come depend on. Taken before an epoch and loaded again, it makes that epoch come again.
  Json state_dict() const { return batch_sampler_->sampler().state_dict(); }
  void load_state_dict(const Json& state) const { batch_sampler_->sampler().load_state_dict(state); }

 private:
  struct Source {
    D dataset;
    Collate collate;
  };

  Iterator epoch_from(std::size_t first_batch) const {
    return Iterator(Reading(source_, batch_sampler_->next_epoch(), first_batch));
  }

  std::shared_ptr<detail::BatchSampler> batch_sampler_;
  std::shared_ptr<const Source> source_;
};

/// Where an iteration stands in its epoch.
template <Dataset D, class Collate>
class DataLoader<D, Collate>::Reading {
 public:
  using Batch = DataLoader::Batch;

  void read(std::optional<Batch>& batch) {
    if (position_ >= epoch_->batches) return;
    std::vector<Sample> samples;
    const std::span<const std::size_t> indices = epoch_->batch(position_++);
    samples.reserve(indices.size());
    for (const std::size_t i : indices) samples.push_back(source_->dataset[i]);
    batch.emplace(source_->collate(std::as_const(samples)));
    if constexpr (std::same_as<Collate, DefaultCollate>) detail::number_samples(*batch, indices);
  }

 private:
  friend class DataLoader;

  Reading(std::shared_ptr<const Source> source, detail::Epoch epoch, std::size_t position)
      : source_(std::move(source)), epoch_(std::make_shared<const detail::Epoch>(std::move(epoch))), position_(position) {}

  std::shared_ptr<const Source> source_;
  std::shared_ptr<const detail::Epoch> epoch_;
  std::size_t position_;
};

}  // namespace tgd::data
