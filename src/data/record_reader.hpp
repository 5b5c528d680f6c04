// Readers: one walk over the records of a file.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <tgd/data/csv.hpp>
#include <tgd/data/records.hpp>

namespace tgd::data::detail {

class RecordReader {
 public:
  virtual ~RecordReader() = default;

  /// Reads the values of the next record, in the order of the fields; false at the end. Throws ParseError with file and line.
  bool next(std::vector<Data>& values) {
    if (!read(values)) return false;
    origin_.row = rows_++;
    origin_.line = line();
    return true;
  }
  /// Of the record that was read last.
  const SampleOrigin& origin() const noexcept { return origin_; }
  /// The JSON of the record that was read last; null where the format is another.
  virtual const nlohmann::ordered_json* record() const { return nullptr; }
  /// The fields; where none were asked for, those of a JSON file are known after its first record.
  virtual const Fields& fields() const = 0;

 protected:
  explicit RecordReader(const std::string& file) : origin_{std::make_shared<const std::string>(file)} {}
  const std::string& file_name() const noexcept { return *origin_.file; }

 private:
  virtual bool read(std::vector<Data>& values) = 0;
  /// On which the record that was read last begins.
  virtual std::size_t line() const = 0;

  SampleOrigin origin_;
  std::size_t rows_ = 0;
};

std::shared_ptr<RecordReader> read_json_lines(const std::filesystem::path& path, const Fields& fields,
                                              const std::string& encoding = {});
/// Of a document that is a list of records, or has one as a member; one record is in memory at a time.
std::shared_ptr<RecordReader> read_json(const std::filesystem::path& path, const Fields& fields,
                                        const std::string& encoding = {});
std::shared_ptr<RecordReader> read_csv(const std::filesystem::path& path, const Fields& fields, const CsvOptions& options);

/// The first record of a CSV; a line that only names its delimiter, as spreadsheets write it, is none. False where there is none.
bool first_record(CsvReader& reader, std::vector<std::string>& cells);

/// All records of a file.
std::shared_ptr<const Records::Content> read_all(RecordReader& reader);

}  // namespace tgd::data::detail
