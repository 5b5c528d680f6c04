// Readers: one walk over the records of a file.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tgd/data/records.hpp>

namespace tgd::data::detail {

class RecordReader {
 public:
  virtual ~RecordReader() = default;

  /// Reads the values of the next record, in the order of the fields; false at the end. Throws ParseError with file and line.
  virtual bool next(std::vector<Data>& values) = 0;
  /// The fields; where none were asked for, those of a JSON file are known after its first record.
  virtual const Fields& fields() const = 0;
};

TGD_API std::shared_ptr<RecordReader> read_json_lines(const std::filesystem::path& path, const Fields& fields);
TGD_API std::shared_ptr<RecordReader> read_csv(const std::filesystem::path& path, const Fields& fields,
                                               const CsvOptions& options);

/// All records of a file.
std::shared_ptr<const Records::Content> read_all(RecordReader& reader);

}  // namespace tgd::data::detail
