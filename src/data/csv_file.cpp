#include <algorithm>
#include <set>

#include <tgd/data/csv.hpp>
#include <tgd/data/records.hpp>
#include <tgd/data/stream.hpp>

#include "core/text.hpp"
#include "core/text_file.hpp"
#include "data/record_content.hpp"
#include "data/record_reader.hpp"

namespace tgd::data {

namespace {

using Row = std::vector<std::string>;

void check_column_names(const Row& columns) {
  std::set<std::string_view> seen;
  for (const std::string& column : columns) {
    if (!seen.insert(column).second)
      throw ParseError(fmt::format("two columns have the name \"{}\"; rename one of them", column));
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

/// "sep=;" on the first line, by which spreadsheets name their delimiter.
bool names_delimiter(const CsvReader& reader, const Row& row) {
  return reader.line() == 1 && row.size() == 2 && row[1].empty() && tgd::detail::lower_case(row[0]) == "sep=";
}

class CsvRecordReader final : public detail::RecordReader {
 public:
  CsvRecordReader(const std::filesystem::path& path, const Fields& fields, const CsvOptions& options)
      : RecordReader(path.string()),
        file_(tgd::detail::open_text(path, options.encoding)),
        reader_(*file_, file_name(), options.delimiter),
        fields_(fields),
        columns_(options.column_names) {
    has_header_ = columns_.empty();
    if (has_header_ && !detail::first_record(reader_, columns_))
      throw ParseError(fmt::format("{}:1: no header line, the file is empty", file_name()));
    detail::in_place([this] { return place(); }, [this] { find_columns(); });
    detail::names_of(fields_);  // which checks them
  }

  const Fields& fields() const override { return fields_; }

 private:
  bool read(std::vector<Data>& values) override {
    do {
      if (!reader_.next(row_)) return false;
    } while ((row_.size() == 1 && columns_.size() > 1 && tgd::detail::trim(row_[0]).empty()) ||  // a line of blanks
             names_delimiter(reader_, row_));
    if (row_.size() != columns_.size()) {
      throw ParseError(fmt::format("{}: {} fields, expected the {} of the {}", place(), row_.size(), columns_.size(),
                                   has_header_ ? "header line" : "given column names"));
    }
    values.clear();
    for (const std::size_t index : indices_) values.emplace_back(row_[index]);
    return true;
  }
  std::size_t line() const override { return reader_.line(); }

  std::string place() const { return fmt::format("{}:{}", file_name(), reader_.line()); }
  void find_columns() {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      columns_[i] = tgd::detail::trim(columns_[i]);
      if (columns_[i].empty()) columns_[i] = fmt::format("column_{}", i + 1);
    }
    check_column_names(columns_);
    if (fields_.empty()) fields_.assign(columns_.begin(), columns_.end());
    indices_ = columns_of(fields_, columns_);
  }

  std::unique_ptr<std::istream> file_;
  CsvReader reader_;
  Fields fields_;
  Row columns_;
  bool has_header_ = false;
  std::vector<std::size_t> indices_;
  Row row_;
};

}  // namespace

bool detail::first_record(CsvReader& reader, std::vector<std::string>& cells) {
  return reader.next(cells) && (!names_delimiter(reader, cells) || reader.next(cells));
}

std::shared_ptr<detail::RecordReader> detail::read_csv(const std::filesystem::path& path, const Fields& fields,
                                                       const CsvOptions& options) {
  return std::make_shared<CsvRecordReader>(path, fields, options);
}

CsvFile::CsvFile(const std::filesystem::path& path, const Fields& fields, const CsvOptions& options)
    : Records(detail::read_all(*detail::read_csv(path, fields, options))) {}

CsvStream::CsvStream(const std::filesystem::path& path, const Fields& fields, const CsvOptions& options)
    : RecordStream([path, options](const Fields& taken) { return detail::read_csv(path, taken, options); }, fields) {}

}  // namespace tgd::data
