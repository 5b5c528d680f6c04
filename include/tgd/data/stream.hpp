// RecordStream: JSON Lines and CSV files read one record after the other, for files that do not fit into memory.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tgd/data/records.hpp>
#include <tgd/export.hpp>
#include <tgd/variable.hpp>

namespace tgd::data {

namespace detail {

class RecordReader;

/// Reads the values of the next record, in the order of the fields; false at the end.
TGD_API bool read_next(RecordReader& reader, std::vector<Data>& values);

/// Where the record was read that read_next() gave last.
TGD_API SampleOrigin origin_of(const RecordReader& reader);

/// The positions of names in other names. Throws ValueError for one that is not there.
TGD_API std::vector<std::size_t> positions_of(const std::string* names, std::size_t count,
                                              const std::vector<std::string>& existing);

/// An input iterator over what `Reading` makes of the values of each record. Copies share their place in the file.
template <class Reading>
class StreamIterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = typename Reading::Sample;
  using difference_type = std::ptrdiff_t;
  using pointer = const value_type*;
  using reference = const value_type&;

  StreamIterator(std::shared_ptr<RecordReader> reader, Reading reading)
      : reader_(std::move(reader)), reading_(std::move(reading)) {
    ++*this;
  }

  reference operator*() const { return *sample_; }
  pointer operator->() const { return &*sample_; }
  StreamIterator& operator++() {
    at_end_ = true;  // also when what follows throws
    at_end_ = !read_next(*reader_, values_);
    if (!at_end_) reading_(values_, origin_of(*reader_), sample_);
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const StreamIterator& iterator, std::default_sentinel_t) noexcept { return iterator.at_end_; }

 private:
  std::shared_ptr<RecordReader> reader_;
  Reading reading_;
  std::vector<Data> values_;
  std::optional<value_type> sample_;
  bool at_end_ = false;
};

/// Values as a Record.
struct TGD_API RecordReading {
  using Sample = Record;
  std::shared_ptr<const std::vector<std::string>> names;

  void operator()(std::vector<Data>& values, const SampleOrigin& origin, std::optional<Record>& record) const;
};

/// Some of the values as a tuple of Variables.
template <std::size_t N>
struct ColumnsReading {
  using Names = std::array<std::string, N>;
  using Sample =
      decltype(std::apply([](const auto&... names) { return std::make_tuple(Variable(Data(), names)...); }, Names()));
  Names names;
  std::vector<std::size_t> positions;

  void operator()(std::vector<Data>& values, const SampleOrigin& origin, std::optional<Sample>& sample) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      sample.emplace(sample_variable(values[positions[I]], names[I], origin)...);
    }
    (std::make_index_sequence<N>());
  }
};

}  // namespace detail

template <std::size_t N>
class StreamColumns;

/// JSON Lines and CSV files read one record after the other, for files that do not fit into memory.
///
///     data::JsonLinesStream rows("train.jsonl", {{"question", "/fields/input"}, "answer"});
///     for (const data::Record& row : rows) row.at("question"); …
///     for (auto [question, answer] : data::StreamLoader(rows.columns("question", "answer"), {.batch_size = 8})) …
///
/// A stream is an input range. Every begin() opens the file anew, so that it can be walked over any number of times, also at
/// the same time. The first record is read and checked when the stream is made, the others as they come; one record at a time
/// is in memory. Fields and formats are those of records.hpp, which reads whole files with random access.
/// Errors: those of records.hpp, thrown by the constructor, begin() and ++.
/// Thread-safety: begin() may be called from any thread; one thread at a time for each iterator.
class TGD_API RecordStream {
 public:
  using Iterator = detail::StreamIterator<detail::RecordReading>;

  Iterator begin() const { return {open_(fields_), {names_}}; }
  std::default_sentinel_t end() const noexcept { return {}; }
  /// The names of the fields, as those of Records.
  const std::vector<std::string>& names() const noexcept { return *names_; }

  /// The same records as tuples of Variables, by position: columns("question", "answer").
  template <std::convertible_to<std::string>... Names>
  StreamColumns<sizeof...(Names)> columns(const Names&... names) const {
    return {*this, {std::string(names)...}};
  }

 protected:
  using Open = std::function<std::shared_ptr<detail::RecordReader>(const Fields&)>;
  RecordStream(Open open, const Fields& fields);

 private:
  template <std::size_t>
  friend class StreamColumns;

  Open open_;
  Fields fields_;
  std::shared_ptr<const std::vector<std::string>> names_;
};

/// N fields of a RecordStream as tuples of Variables, whose roles are the names of the fields.
template <std::size_t N>
class StreamColumns {
 public:
  using Iterator = detail::StreamIterator<detail::ColumnsReading<N>>;

  /// Throws ValueError for a name that is no field.
  StreamColumns(const RecordStream& stream, std::array<std::string, N> names)
      : stream_(stream), reading_{std::move(names), {}} {
    reading_.positions = detail::positions_of(reading_.names.data(), N, stream.names());
  }

  Iterator begin() const { return {stream_.open_(stream_.fields_), reading_}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  RecordStream stream_;
  detail::ColumnsReading<N> reading_;
};

/// One JSON value on each line, as JsonLinesFile has it.
class TGD_API JsonLinesStream final : public RecordStream {
 public:
  explicit JsonLinesStream(const std::filesystem::path& path, const Fields& fields = {});
};

/// Comma-separated values, as CsvFile has them.
class TGD_API CsvStream final : public RecordStream {
 public:
  explicit CsvStream(const std::filesystem::path& path, const Fields& fields = {}, const CsvOptions& options = {});
};

}  // namespace tgd::data
