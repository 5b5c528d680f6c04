#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include <tgd/data/csv.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using nlohmann::json;
using tgd::data::CsvReader;

namespace {

const json& cases() {
  static const json table = [] {
    std::ifstream file(TGD_TEST_SOURCE_DIR "/data/csv_cases.json");
    return json::parse(file);
  }();
  return table;
}

struct Read {
  json records = json::array();
  json lines = json::array();
};

Read read_all(const std::string& text, char delimiter = ',') {
  std::istringstream in(text);
  CsvReader reader(in, "x.csv", delimiter);
  Read read;
  for (std::vector<std::string> fields; reader.next(fields);) {
    read.records.push_back(fields);
    read.lines.push_back(reader.line());
  }
  return read;
}

}  // namespace

TEST_CASE("CsvReader reads what RFC 4180 describes", "[csv]") {
  for (const json& row : cases()["records"]) {
    DYNAMIC_SECTION(row["name"].get<std::string>()) {
      const Read read = read_all(row["text"], row.value("delimiter", ",")[0]);
      CHECK(read.records == row["records"]);
      if (row.contains("lines")) CHECK(read.lines == row["lines"]);
    }
  }
}

TEST_CASE("CsvReader names the place of what is malformed", "[csv]") {
  for (const json& row : cases()["errors"]) {
    DYNAMIC_SECTION(row["name"].get<std::string>()) {
      CHECK_THROWS_AS(read_all(row["text"]), tgd::ParseError);
      CHECK_THROWS_WITH(read_all(row["text"]), StartsWith("x.csv:" + row["at"].get<std::string>() + ": ") &&
                                                   ContainsSubstring(row["says"].get<std::string>()));
    }
  }
}

TEST_CASE("CsvReader reads UTF-8 only", "[csv]") {
  const std::string text = GENERATE("caf\xE9,x\n",         // Latin-1
                                    "\xC0\xAF\n",          // overlong
                                    "\xED\xA0\x80\n",      // a surrogate
                                    "\xF4\x90\x80\x80\n",  // above U+10FFFF
                                    "\"\xE2\x82\"\n",      // cut off
                                    "\xEF\xBB\n", "\xEF",  // half of a byte order mark
                                    "\xFF\xFE"
                                    "a\n");  // UTF-16
  CHECK_THROWS_WITH(read_all(text), StartsWith("x.csv:1:1: ") && ContainsSubstring("UTF-8"));
}

TEST_CASE("CsvReader keeps one record at a time", "[csv]") {
  std::istringstream in("a,b\nc,d\ne,f");
  CsvReader reader(in, "x.csv");
  std::vector<std::string> fields;
  REQUIRE(reader.next(fields));
  REQUIRE(reader.next(fields));
  CHECK(fields == std::vector<std::string>{"c", "d"});
  CHECK(in.tellg() == 8);
  REQUIRE(reader.next(fields));
  CHECK_FALSE(reader.next(fields));
  CHECK(fields.empty());
  CHECK_FALSE(reader.next(fields));
}

TEST_CASE("A quote or a line break is no delimiter", "[csv]") {
  const char delimiter = GENERATE('"', '\n', '\r');
  CHECK_THROWS_AS(read_all("a", delimiter), tgd::ValueError);
}
