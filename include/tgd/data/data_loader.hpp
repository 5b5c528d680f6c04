// DataLoader: a dataset as a range of batches.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <tgd/data/dataset.hpp>
#include <tgd/data/records.hpp>
#include <tgd/data/sampler.hpp>
#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/variable.hpp>

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

// ---- Collating ----------------------------------------------------------------------------------------------------------

/// What becomes a Variable by itself.
template <class T>
concept Item = std::constructible_from<Variable, const T&>;

template <class T>
concept TupleOfItems = !Item<T> && requires {
  std::tuple_size<T>::value;
};

namespace detail {

/// One batch Variable out of the items of all samples at one position. `position` names it in errors.
TGD_API Variable collate_column(const std::vector<Variable>& column, const std::string& position, const std::string& role);
/// The given role of a position; empty where no roles are given.
TGD_API std::string role_at(const std::vector<std::string>& roles, std::size_t position, std::size_t positions);
TGD_API void check_same_names(const std::vector<std::string>& names, const std::vector<std::string>& expected,
                              std::size_t sample);

/// The items of all samples at one position, which `item_of(sample)` gives.
template <class Sample, class ItemOf>
Variable collate_position(const std::vector<Sample>& samples, ItemOf item_of, const std::string& position,
                          const std::string& role) {
  std::vector<Variable> column;
  column.reserve(samples.size());
  for (const Sample& sample : samples) column.push_back(Variable(item_of(sample)));
  return collate_column(column, position, role);
}

/// A map from names to items, or what is made from one.
template <class T>
concept MapOfItems = requires {
  typename T::mapped_type;
}
&&std::derived_from<T, std::map<std::string, typename T::mapped_type>>&& Item<typename T::mapped_type>;

/// A member of a map, which may know where it was read.
template <class Sample>
Variable member_of(const Sample& sample, const std::string& name) {
  if constexpr (requires { sample.origin; }) {
    return sample_variable(sample.find(name)->second, name, sample.origin);
  } else {
    return Variable(sample.find(name)->second);
  }
}

/// Gives the samples of a batch that know no origin their numbers in the dataset.
TGD_API void number_samples(const Variable& batch, std::span<const std::size_t> numbers);
inline void number_samples(const std::map<std::string, Variable>& batch, std::span<const std::size_t> numbers) {
  for (const auto& member : batch) number_samples(member.second, numbers);
}
template <class... Parts>
void number_samples(const std::tuple<Parts...>& batch, std::span<const std::size_t> numbers) {
  std::apply([&](const auto&... parts) { (number_samples(parts, numbers), ...); }, batch);
}

template <class T>
std::vector<std::string> names_of(const std::map<std::string, T>& sample) {
  std::vector<std::string> names;
  for (const auto& member : sample) names.push_back(member.first);
  return names;
}

}  // namespace detail

/// Collates samples, at least one, as a DataLoader does by default.
template <Item T>
Variable collate(const std::vector<T>& samples, const std::vector<std::string>& roles = {}) {
  const auto item_of = [](const T& sample) -> const T& { return sample; };
  return detail::collate_position(samples, item_of, "", detail::role_at(roles, 0, 1));
}

template <TupleOfItems T>
auto collate(const std::vector<T>& samples, const std::vector<std::string>& roles = {}) {
  constexpr std::size_t positions = std::tuple_size_v<T>;
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple{detail::collate_position(
        samples, [](const T& sample) -> const auto& { return std::get<I>(sample); }, std::to_string(I),
        detail::role_at(roles, I, positions))...};
  }
  (std::make_index_sequence<positions>());
}

template <detail::MapOfItems T>
std::map<std::string, Variable> collate(const std::vector<T>& samples, const std::vector<std::string>& roles = {}) {
  const std::vector<std::string> names = detail::names_of(samples.at(0));
  for (std::size_t i = 1; i < samples.size(); ++i) detail::check_same_names(detail::names_of(samples[i]), names, i);
  std::map<std::string, Variable> batch;
  for (std::size_t position = 0; position < names.size(); ++position) {
    const std::string& name = names[position];
    Variable collated = detail::collate_position(
        samples, [&](const T& sample) { return detail::member_of(sample, name); }, name,
        detail::role_at(roles, position, names.size()));
    if (collated.role().empty()) collated.set_role(name);
    batch.emplace(name, std::move(collated));
  }
  return batch;
}

/// Makes a batch of samples: position by position, with TypeError for texts and numbers in one position.
struct DefaultCollate {
  std::vector<std::string> roles = {};

  template <class Sample>
  auto operator()(const std::vector<Sample>& samples) const {
    return collate(samples, roles);
  }
};

// ---- Loading ------------------------------------------------------------------------------------------------------------

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
