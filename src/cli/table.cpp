#include "cli/table.hpp"

#include <algorithm>
#include <numeric>

#include "core/width.hpp"

namespace tgd::cli {

namespace {

using Row = std::vector<std::string>;

constexpr std::size_t table_gap = 2;

std::vector<std::size_t> natural_widths(const std::vector<TableColumn>& columns, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t width = detail::display_width(columns[i].name);
    for (const Row& row : rows) width = std::max(width, detail::display_width(row[i]));
    widths.push_back(width);
  }
  return widths;
}

/// The widest of those that can be narrower, by one column at a time: what is short stays whole.
void narrow(std::vector<std::size_t>& widths, const std::vector<TableColumn>& columns, std::size_t width) {
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) + table_gap * (widths.size() - 1);
  };
  while (total() > width) {
    std::size_t widest = columns.size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].least == 0 || widths[i] <= columns[i].least) continue;
      if (widest == columns.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns.size()) return;
    --widths[widest];
  }
}

std::string line_of(const std::vector<TableColumn>& columns, const std::vector<std::size_t>& widths, const Row& row) {
  std::string line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string cell = detail::fitted(row[i], widths[i]);
    const std::string blanks(widths[i] - detail::display_width(cell), ' ');
    if (i > 0) line.append(table_gap, ' ');
    line += columns[i].is_number ? blanks + cell : cell + blanks;
  }
  return line.erase(line.find_last_not_of(' ') + 1);
}

}  // namespace

std::vector<std::string> table_lines(const std::vector<TableColumn>& columns, const std::vector<Row>& rows, std::size_t width) {
  std::vector<std::size_t> widths = natural_widths(columns, rows);
  narrow(widths, columns, width);
  Row names;
  for (const TableColumn& column : columns) names.push_back(column.name);
  std::vector<std::string> lines{line_of(columns, widths, names)};
  for (const Row& row : rows) lines.push_back(line_of(columns, widths, row));
  return lines;
}

}  // namespace tgd::cli
