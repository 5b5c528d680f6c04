// What stands in a data file, found by one walk over all of it: which fields its records have, and what their values look like. One
// record is in memory at a time (of a .json all of them), and of the values so much as a guess needs.
// Errors: those of the readers (tgd/data/records.hpp).
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "task/data_file.hpp"

namespace tgd::cli {

/// A field of the data with what its values look like.
struct Column {
  std::string source;           ///< as task files name it: a column, a member, or a JSON pointer
  std::size_t count = 0;        ///< of values that are not blank
  std::size_t mean_length = 0;  ///< in characters
  std::size_t longest = 0;
  bool is_number = false;                ///< every value, of one unit
  bool is_object = false;                ///< every value is a JSON object
  bool is_list = false;                  ///< every value is a JSON list
  bool has_texts = false;                ///< some values are what people write: with blanks, or in a script without any
  bool has_digits = false;               ///< every value
  bool ends_in_results = false;          ///< every value is working, and ends in "#### " and a number
  std::size_t distinct = 0;              ///< counted up to most_distinct
  std::vector<std::string> labels = {};  ///< the values by name, where they are few and short; of lists the items
  std::string example = {};              ///< the first value
  std::string role = {};                 ///< of a message in a chat

  /// The last part of the source; of a message its role.
  std::string name() const;
  bool has_labels() const { return !labels.empty(); }
  bool is_json() const { return is_object || is_list; }
};

inline constexpr std::size_t most_distinct = 10'000;

struct Survey {
  std::size_t rows = 0;
  std::vector<Column> columns = {};
  DataFileOptions options = {};         ///< as the file is to be read
  std::size_t records_with_turns = 0;   ///< chats with more than one message of a user
  std::vector<std::string> notes = {};  ///< what was found out about the file, as sentences
};

/// `on_progress(rows)` is called now and then. `encoding`: empty for a guess.
Survey survey_file(const std::filesystem::path& file, const std::string& encoding,
                   const std::function<void(std::size_t)>& on_progress);

}  // namespace tgd::cli
