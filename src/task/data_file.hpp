// Data files as the program takes them: .csv, .jsonl and .json.
#pragma once

#include <filesystem>
#include <string>

#include <tgd/data/records.hpp>

namespace tgd::cli {

/// By the ending of the file's name; JSON Lines for any other. Throws as the readers of tgd/data/records.hpp do.
data::Records read_data_file(const std::filesystem::path& file, const data::Fields& fields);

/// The first line that is not blank.
std::string first_line(const std::filesystem::path& file);

/// Of comma, semicolon and tab the one that the first line of a CSV file has most of outside quotes: spreadsheets write the list
/// separator of their country.
data::CsvOptions csv_options(const std::filesystem::path& file);

}  // namespace tgd::cli
