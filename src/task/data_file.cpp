#include "task/data_file.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/text_file.hpp"
#include "data/record_reader.hpp"
#include "task/document.hpp"

namespace tgd::cli {

namespace {

constexpr std::array<std::pair<std::string_view, DataFormat>, 6> formats{{{".csv", DataFormat::csv},
                                                                          {".tsv", DataFormat::csv},
                                                                          {".psv", DataFormat::csv},
                                                                          {".jsonl", DataFormat::json_lines},
                                                                          {".ndjson", DataFormat::json_lines},
                                                                          {".json", DataFormat::json}}};

std::string ending_of(const std::filesystem::path& file) { return detail::lower_case(file.extension().string()); }

/// What to do with files of other programs.
std::string remedy_for(const std::string& ending, const std::string& name) {
  const auto is_one_of = [&](std::initializer_list<std::string_view> endings) {
    return std::find(endings.begin(), endings.end(), ending) != endings.end();
  };
  if (is_one_of({".xlsx", ".xls", ".ods", ".numbers"}))
    return fmt::format("save the sheet as CSV (UTF-8), or run `soffice --headless --convert-to csv \"{}\"`", name);
  if (is_one_of({".parquet", ".feather", ".arrow"}))
    return fmt::format("convert it, for example with `duckdb -c \"COPY (FROM '{}') TO 'data.jsonl'\"`", name);
  if (is_one_of({".gz", ".zip", ".zst", ".xz", ".bz2"})) return "unpack it first";
  return {};
}

}  // namespace

DataFormat data_format(const std::filesystem::path& file) {
  const std::string ending = ending_of(file);
  std::vector<std::string> endings;
  for (const auto& [known, format] : formats) {
    if (ending == known) return format;
    endings.emplace_back(known);
  }
  const std::string remedy = remedy_for(ending, file.filename().string());
  throw ValueError(fmt::format("the ending of {} is not known; there are {}{}", file.filename().string(), quoted_list(endings),
                               remedy.empty() ? "" : "; " + remedy));
}

data::Records read_data_file(const std::filesystem::path& file, const data::Fields& fields, const DataFileOptions& options) {
  switch (data_format(file)) {
    case DataFormat::csv:
      return data::CsvFile(file, fields, csv_options(file, options));
    case DataFormat::json:
      return data::JsonFile(file, fields, "", options.encoding);
    case DataFormat::json_lines:
      break;
  }
  return data::JsonLinesFile(file, fields, options.encoding);
}

std::shared_ptr<data::detail::RecordReader> open_data_file(const std::filesystem::path& file, const data::Fields& fields,
                                                           const DataFileOptions& options) {
  switch (data_format(file)) {
    case DataFormat::csv:
      return data::detail::read_csv(file, fields, csv_options(file, options));
    case DataFormat::json:
      return data::detail::read_json(file, fields, options.encoding);
    case DataFormat::json_lines:
      break;
  }
  return data::detail::read_json_lines(file, fields, options.encoding);
}

std::string first_line(const std::filesystem::path& file, const std::string& encoding) {
  const auto in = detail::open_text(file, encoding);
  std::string line;
  while (std::getline(*in, line) && detail::trim(line).empty()) {
  }
  return line;
}

data::CsvOptions csv_options(const std::filesystem::path& file, const DataFileOptions& options) {
  data::CsvOptions csv{.column_names = options.columns, .encoding = options.encoding};
  const std::string ending = ending_of(file);
  if (ending == ".tsv" || ending == ".psv") {
    csv.delimiter = ending == ".tsv" ? '\t' : '|';
    return csv;
  }
  std::string outside;
  bool in_quotes = false;
  for (const char c : first_line(file, options.encoding)) {
    if (c == '"') in_quotes = !in_quotes;
    if (!in_quotes) outside += c;
  }
  constexpr std::array delimiters = {',', ';', '\t', '|'};  // the first one of those that are equally frequent
  csv.delimiter = *std::max_element(delimiters.begin(), delimiters.end(), [&](char a, char b) {
    return std::count(outside.begin(), outside.end(), a) < std::count(outside.begin(), outside.end(), b);
  });
  return csv;
}

}  // namespace tgd::cli
