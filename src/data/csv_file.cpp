#include <algorithm>
#include <set>

#include <tgd/data/csv.hpp>
#include <tgd/data/records.hpp>

#include "data/record_builder.hpp"

namespace tgd::data {

namespace {

using Row = std::vector<std::string>;

void check_column_names(const Row& columns) {
  std::set<std::string_view> seen;
  for (const std::string& column : columns) {
    if (!seen.insert(column).second) throw ParseError(fmt::format("two columns have the name \"{}\"", column));
  }
}

std::size_t column_of(const std::string& source, const Row& columns) {
  const auto found = std::ranges::find(columns, source);
  if (found == columns.end()) {
    throw ParseError(fmt::format("no column \"{}\"; {}", source, detail::existing_names(source, columns)));
  }
  return static_cast<std::size_t>(found - columns.begin());
}

std::vector<std::size_t> columns_of(const Fields& fields, const Row& columns) {
  std::vector<std::size_t> indices;
  for (const Field& field : fields) indices.push_back(column_of(field.source, columns));
  return indices;
}

std::vector<Data> values_of(Row& row, const std::vector<std::size_t>& indices) {
  std::vector<Data> values;
  for (const std::size_t index : indices) values.emplace_back(row[index]);
  return values;
}

std::shared_ptr<const Records::Content> read_csv(const std::filesystem::path& path, Fields fields, const CsvOptions& options) {
  std::ifstream file = detail::open_file(path);
  const std::string name = path.string();
  CsvReader reader(file, name, options.delimiter);
  const auto place = [&] { return fmt::format("{}:{}", name, reader.line()); };

  Row columns = options.column_names;
  const bool has_header = columns.empty();
  if (has_header && !reader.next(columns)) throw ParseError(fmt::format("{}:1: no header line, the file is empty", name));
  std::vector<std::size_t> indices;
  detail::in_place(place, [&] {
    check_column_names(columns);
    if (fields.empty()) fields.assign(columns.begin(), columns.end());
    indices = columns_of(fields, columns);
  });

  detail::RecordBuilder builder(detail::names_of(fields));
  for (Row row; reader.next(row);) {
    detail::in_place(place, [&] {
      if (row.size() != columns.size()) {
        throw ParseError(fmt::format("{} fields, expected the {} of the {}", row.size(), columns.size(),
                                     has_header ? "header line" : "given column names"));
      }
      builder.add(values_of(row, indices));
    });
  }
  return builder.finish();
}

}  // namespace

CsvFile::CsvFile(const std::filesystem::path& path, const Fields& fields, const CsvOptions& options)
    : Records(read_csv(path, fields, options)) {}

}  // namespace tgd::data
