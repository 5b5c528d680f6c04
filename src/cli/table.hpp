// A table for people, as wide as the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tgd::cli {

struct TableColumn {
  std::string name;
  bool is_number = false;  ///< to the right
  /// What is left of it where there is no room for all columns; 0: all of it.
  std::size_t least = 0;
};

/// The head and the rows, one line each. Columns that may be shortened are, the widest first, until the lines fit; where they
/// still do not, lines are longer.
std::vector<std::string> table_lines(const std::vector<TableColumn>& columns, const std::vector<std::vector<std::string>>& rows,
                                     std::size_t width);

}  // namespace tgd::cli
