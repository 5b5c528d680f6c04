#include <tgd/data/csv.hpp>

#include <streambuf>
#include <utility>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd::data {

namespace {

constexpr int end_of_file = std::char_traits<char>::eof();

}  // namespace

CsvReader::CsvReader(std::istream& in, std::string name, char delimiter)
    : source_(in.rdbuf()), name_(std::move(name)), delimiter_(delimiter) {
  if (delimiter == '"' || delimiter == '\r' || delimiter == '\n') {
    throw ValueError("a quote or a line break cannot be the delimiter of CSV; use a character such as ',' or '\\t'");
  }
  skip_byte_order_mark();
}

void CsvReader::skip_byte_order_mark() {
  if (peek() != 0xEF) return;
  source_->sbumpc();
  if (source_->sbumpc() != 0xBB || source_->sbumpc() != 0xBF) fail("this is not UTF-8 text; save it as UTF-8", 1, 1);
}

bool CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  while (take_line_break()) {
  }
  record_line_ = line_;
  if (peek() == end_of_file) return false;
  End end = End::field;
  while (end == End::field) end = read_field(fields.emplace_back());
  return true;
}

int CsvReader::take() {
  const int byte = source_->sbumpc();
  if (byte == '\n') {
    ++line_;
    column_ = 1;
  } else if (!tgd::detail::is_continuation(static_cast<char>(byte))) {
    ++column_;
  }
  return byte;
}

bool CsvReader::take_line_break() {
  if (peek() == '\r') {
    take();
    if (peek() != '\n') fail("a carriage return without a line feed behind it; put the field in quotes", line_, column_ - 1);
  }
  if (peek() != '\n') return false;
  take();
  return true;
}

CsvReader::End CsvReader::read_field(std::string& field) {
  const std::size_t line = line_;
  const std::size_t column = column_;
  if (peek() == '"') {
    read_quoted(field);
  } else {
    read_plain(field);
  }
  if (!tgd::detail::is_utf8(field)) fail("this field is not UTF-8 text; save the file as UTF-8", line, column);
  if (peek() == end_of_file || take_line_break()) return End::record;
  if (take() != static_cast<unsigned char>(delimiter_)) {
    fail(fmt::format("text behind the closing quote of a field; expected \"{}\" or the end of the line, and quotes inside of "
                     "a field doubled",
                     delimiter_),
         line_, column_ - 1);
  }
  return End::field;
}

void CsvReader::read_quoted(std::string& field) {
  const std::size_t line = line_;
  const std::size_t column = column_;
  take();
  for (;;) {
    const int byte = take();
    if (byte == end_of_file) fail("this quote is never closed", line, column);
    if (byte == '"') {
      if (peek() != '"') return;
      take();
    }
    field.push_back(static_cast<char>(byte));
  }
}

void CsvReader::read_plain(std::string& field) {
  for (;;) {
    const int byte = peek();
    if (byte == end_of_file || byte == '\n' || byte == '\r' || byte == static_cast<unsigned char>(delimiter_)) return;
    if (byte == '"')
      fail("a quote inside of a field without quotes; put the field in quotes and double this one", line_, column_);
    field.push_back(static_cast<char>(take()));
  }
}

void CsvReader::fail(const std::string& message, std::size_t line, std::size_t column) const {
  throw ParseError(fmt::format("{}:{}:{}: {}", name_, line, column, message));
}

}  // namespace tgd::data
