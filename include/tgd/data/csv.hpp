// CsvReader: reads comma-separated values record by record, keeping no more than one record in memory.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

#include <tgd/export.hpp>

namespace tgd::data {

/// Reads comma-separated values record by record, keeping no more than one record in memory.
///
/// Format: RFC 4180. Records end with a line feed, with or without a carriage return before it. A field in quotes may hold
/// delimiters, doubled quotes and line breaks, which are kept as they are. A byte order mark is skipped, and so are blank
/// lines. The text must be UTF-8.
/// Errors: ParseError with name, line and column for what RFC 4180 does not allow, and for text that is not UTF-8.
/// Thread-safety: one thread at a time for each object.
class TGD_API CsvReader {
 public:
  /// Reads from `in`, which must outlive the reader. `name` stands for it in errors.
  CsvReader(std::istream& in, std::string name, char delimiter = ',');

  /// Reads the next record; false, with no fields, at the end.
  bool next(std::vector<std::string>& fields);
  /// The line (from 1) on which the record that was read last begins.
  std::size_t line() const noexcept { return record_line_; }

 private:
  enum class End { field, record };

  int peek() const { return source_->sgetc(); }
  int take();
  bool take_line_break();
  void skip_byte_order_mark();
  End read_field(std::string& field);
  void read_quoted(std::string& field);
  void read_plain(std::string& field);
  [[noreturn]] void fail(const std::string& message, std::size_t line, std::size_t column) const;

  std::streambuf* source_;
  std::string name_;
  char delimiter_;
  std::size_t line_ = 1;
  std::size_t column_ = 1;  ///< in characters, of the byte that peek() sees
  std::size_t record_line_ = 0;
};

}  // namespace tgd::data
