#include "task/data_file.hpp"

#include <algorithm>
#include <array>
#include <fstream>

#include "core/text.hpp"

namespace tgd::cli {

data::Records read_data_file(const std::filesystem::path& file, const data::Fields& fields) {
  if (file.extension() == ".csv") return data::CsvFile(file, fields, csv_options(file));
  if (file.extension() == ".json") return data::JsonFile(file, fields);
  return data::JsonLinesFile(file, fields);
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line) && detail::trim(line).empty()) {
  }
  return line;
}

data::CsvOptions csv_options(const std::filesystem::path& file) {
  std::string outside;
  bool in_quotes = false;
  for (const char c : first_line(file)) {
    if (c == '"') in_quotes = !in_quotes;
    if (!in_quotes) outside += c;
  }
  constexpr std::array delimiters = {',', ';', '\t'};  // the first one of those that are equally frequent
  const auto most = std::max_element(delimiters.begin(), delimiters.end(), [&](char a, char b) {
    return std::count(outside.begin(), outside.end(), a) < std::count(outside.begin(), outside.end(), b);
  });
  return {.delimiter = *most};
}

}  // namespace tgd::cli
