// What holds for all records.
#include <sstream>
#include <string>
#include <vector>

#include <tgd/data/csv.hpp>

#include "catch.hpp"
#include "support/properties.hpp"

using tgd::data::CsvReader;
using tgd::test::holds;

namespace {

/// As RFC 4180 says: each field in quotation marks, and those in it twice.
std::string csv_of(const std::vector<std::vector<std::string>>& records, char delimiter, const std::string& line_end) {
  std::string text;
  for (const std::vector<std::string>& record : records) {
    for (std::size_t i = 0; i < record.size(); ++i) {
      if (i > 0) text += delimiter;
      text += '"';
      for (const char c : record[i]) text += c == '"' ? "\"\"" : std::string(1, c);
      text += '"';
    }
    text += line_end;
  }
  return text;
}

}  // namespace

TEST_CASE("What is written as CSV is read again", "[csv][properties]") {
  CHECK(holds("whatever the fields hold, the delimiter is and lines end with", [] {
    const auto columns = *rc::gen::inRange<std::size_t>(1, 5);
    const auto records = *rc::gen::container<std::vector<std::vector<std::string>>>(
        rc::gen::container<std::vector<std::string>>(columns, tgd::test::any_text()));
    const char delimiter = *rc::gen::element(',', ';', '\t');
    std::istringstream in(csv_of(records, delimiter, *rc::gen::element<std::string>("\n", "\r\n")));
    CsvReader reader(in, "x.csv", delimiter);
    std::vector<std::vector<std::string>> read;
    for (std::vector<std::string> fields; reader.next(fields);) read.push_back(fields);
    RC_ASSERT(read == records);
  }));
}
