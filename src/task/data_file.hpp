// Data files as the program takes them: .csv, .tsv, .psv, .jsonl, .ndjson and .json, in UTF-8, UTF-16 or an encoding that is named.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tgd/data/records.hpp>

namespace tgd::data::detail {
class RecordReader;
}

namespace tgd::cli {

enum class DataFormat { csv, json_lines, json };

/// What a task says of its files beside their names.
struct DataFileOptions {
  std::string encoding = {};              ///< empty: UTF-8, or what the first bytes say
  std::vector<std::string> columns = {};  ///< the names of the columns of a file without a header line
};

/// By the ending of the file's name, whatever its case. Throws ValueError for another one, with what to do.
DataFormat data_format(const std::filesystem::path& file);

/// Throws as the readers of tgd/data/records.hpp do, and ValueError for an ending that is not known.
data::Records read_data_file(const std::filesystem::path& file, const data::Fields& fields,
                             const DataFileOptions& options = {});

/// The same one record after the other.
std::shared_ptr<data::detail::RecordReader> open_data_file(const std::filesystem::path& file, const data::Fields& fields,
                                                           const DataFileOptions& options = {});

/// The first line that is not blank, as UTF-8.
std::string first_line(const std::filesystem::path& file, const std::string& encoding = {});

/// Tabs in a .tsv and bars in a .psv; in a .csv, of comma, semicolon, tab and bar the one that the first line has most of outside
/// quotes: spreadsheets write the list separator of their country.
data::CsvOptions csv_options(const std::filesystem::path& file, const DataFileOptions& options = {});

}  // namespace tgd::cli
