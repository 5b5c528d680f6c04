// What the readers of all formats share: places in files, missing fields, finished records.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <tgd/data/records.hpp>
#include <tgd/error.hpp>

namespace tgd::data {

struct Records::Content {
  std::vector<std::string> names;
  std::vector<Record> records;
};

namespace detail {

/// Opens a file for reading, as it is. Throws ValueError when it is none or cannot be read.
std::ifstream open_file(const std::filesystem::path& path);

/// Runs `work`; a ParseError out of it begins with the text that `place` returns.
template <class Place, class Work>
void in_place(const Place& place, const Work& work) {
  try {
    work();
  } catch (const ParseError& error) {
    throw ParseError(fmt::format("{}: {}", place(), error.what()));
  }
}

/// `there are "a", "b"; did you mean "b"?`
std::string existing_names(std::string_view missing, const std::vector<std::string>& existing);

/// The names of fields; ValueError when one comes twice.
std::vector<std::string> names_of(const Fields& fields);

/// A record of its values, which are in the order of the fields and are moved from.
Record make_record(const Fields& fields, std::vector<Data>& values, const SampleOrigin& origin);

}  // namespace detail

}  // namespace tgd::data
