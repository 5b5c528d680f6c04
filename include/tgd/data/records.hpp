// Records: datasets from JSON Lines, JSON and CSV files.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tgd/data.hpp>
#include <tgd/export.hpp>
#include <tgd/problem.hpp>
#include <tgd/variable.hpp>

namespace tgd::data {

/// Fields by name, and where they were read.
struct Record : std::map<std::string, Data> {
  using std::map<std::string, Data>::map;

  SampleOrigin origin = {};
};

/// What to keep under `name`: `source` is a column of CSV, a member of a JSON object, or, where it begins with '/', a JSON
/// pointer (RFC 6901). Without a source it is the name. In a list of messages a role stands for its last message:
/// "/messages/assistant/content".
struct Field {
  Field(const char* field) : Field(std::string(field)) {}             // NOLINT(google-explicit-constructor)
  Field(std::string field) : name(std::move(field)), source(name) {}  // NOLINT(google-explicit-constructor)
  Field(std::string field, std::string from) : name(std::move(field)), source(std::move(from)) {}

  std::string name;
  std::string source;
  /// For files of people: what is missing or null is the empty text, and a number is its text, so that the field is text always.
  bool is_lenient = false;
};
using Fields = std::vector<Field>;

template <std::size_t N>
class Columns;

namespace detail {

/// A Variable that knows where it was read.
TGD_API Variable sample_variable(Data data, std::string role, const SampleOrigin& origin);

}  // namespace detail

/// Datasets from JSON Lines, JSON and CSV files. A sample is a map from field names to Data.
///
///     data::JsonLinesFile rows("train.jsonl", {{"question", "/fields/input"}, "answer"});
///     for (auto batch : data::DataLoader(rows)) batch["question"]; …
///     for (auto [question, answer] : data::DataLoader(rows.columns("question", "answer"))) …
///
/// Files are read and checked when the dataset is made, one record at a time where the format allows, so that a run never
/// stops half way for its data. Only the fields asked for are kept. Copies share them.
///
/// Samples know their file and row, and what is made of them does: errors and problems name them (Variable::origin).
///
/// Fields of JSON: text stays text, numbers stay numbers, true, false, lists and objects become their JSON text, with members in
/// the order of the file. Fields of CSV are text. A field is text in all records or a number in all records.
/// Files are UTF-8, or UTF-16 and UTF-32 where a mark or their zero bytes say so; others have an encoding, by its name
/// ("ISO-8859-1", "WINDOWS-1252", what iconv knows). The names of columns are without blanks around them; a column without a
/// name is called by its number: "column_3".
/// Errors: ParseError that begins with file:line: (and column: where known) for a malformed record, and names the field that is
/// missing and those that exist; ValueError for a file that cannot be read.
/// Thread-safety: reading is safe from any number of threads.
class TGD_API Records {
 public:
  std::size_t size() const noexcept;
  const Record& operator[](std::size_t i) const;
  /// The names of the fields in the order asked for; when none were, as CSV has them and by name for JSON.
  const std::vector<std::string>& names() const noexcept;

  /// The same records as tuples of Variables, by position: columns("question", "answer").
  template <std::convertible_to<std::string>... Names>
  Columns<sizeof...(Names)> columns(const Names&... names) const;

  struct Content;

 protected:
  explicit Records(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

 private:
  std::shared_ptr<const Content> content_;
};

/// N fields of Records as tuples of Variables, whose roles are the names of the fields.
template <std::size_t N>
class Columns {
 public:
  /// Throws ValueError for a name that is no field.
  Columns(Records records, std::array<std::string, N> names);

  std::size_t size() const noexcept { return records_.size(); }
  auto operator[](std::size_t i) const {
    const Record& record = records_[i];
    return std::apply(
        [&](const auto&... names) {
          return std::make_tuple(detail::sample_variable(record.find(names)->second, names, record.origin)...);
        },
        names_);
  }

 private:
  Records records_;
  std::array<std::string, N> names_;
};

/// One JSON value on each line, the fields out of each. Without `fields`: all members of the first line's object.
class TGD_API JsonLinesFile final : public Records {
 public:
  explicit JsonLinesFile(const std::filesystem::path& path, const Fields& fields = {}, const std::string& encoding = "");
};

/// A JSON array of records, at the JSON pointer `records` of the document; without one the document, or the only array of
/// objects that it has as a member, as in {"data": […]}. Without `fields`: all members of the first record.
class TGD_API JsonFile final : public Records {
 public:
  explicit JsonFile(const std::filesystem::path& path, const Fields& fields = {}, const std::string& records = "",
                    const std::string& encoding = "");
};

/// How a CSV file is written.
struct CsvOptions {
  char delimiter = ',';
  /// The names of the columns of a file without a header line.
  std::vector<std::string> column_names = {};
  std::string encoding = {};  ///< see above
};

/// Comma-separated values below a header line; see csv.hpp for the format. Without `fields`: all columns.
class TGD_API CsvFile final : public Records {
 public:
  explicit CsvFile(const std::filesystem::path& path, const Fields& fields = {}, const CsvOptions& options = {});
};

namespace detail {

TGD_API void check_names(const Records& records, const std::string* names, std::size_t count);

}  // namespace detail

template <std::convertible_to<std::string>... Names>
Columns<sizeof...(Names)> Records::columns(const Names&... names) const {
  return {*this, {std::string(names)...}};
}

template <std::size_t N>
Columns<N>::Columns(Records records, std::array<std::string, N> names)
    : records_(std::move(records)), names_(std::move(names)) {
  detail::check_names(records_, names_.data(), N);
}

}  // namespace tgd::data
