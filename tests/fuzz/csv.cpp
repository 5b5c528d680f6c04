// The CSV parser takes any bytes: it reads records or throws ParseError, and its records survive being written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <tgd/data/csv.hpp>
#include <tgd/error.hpp>

namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows read(const std::string& text) {
  std::istringstream in(text);
  Rows rows;
  tgd::data::CsvReader reader(in, "fuzz");
  for (std::vector<std::string> fields; reader.next(fields);) rows.push_back(fields);
  return rows;
}

std::string quoted(const std::string& field) {
  std::string text = "\"";
  for (const char c : field) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + "\"";
}

std::string written(const Rows& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + quoted(row[i]);
    text += "\r\n";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Rows rows;
  try {
    rows = read(std::string(data, data + size));
  } catch (const tgd::ParseError&) {
    return 0;
  }
  if (read(written(rows)) != rows) std::abort();
  return 0;
}
