#include "core/one_line.hpp"

#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

bool is_blank(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }

std::string on_one_line(std::string_view text) {
  std::string line;
  bool gap = false;
  for (const char c : text) {
    if (is_blank(c)) {
      gap = !line.empty();
      continue;
    }
    if (gap) line += ' ';
    gap = false;
    line += c;
  }
  return line;
}

}  // namespace

std::string one_line(std::string_view text, std::size_t limit) {
  // Look at no more than could be shown; a reply may be megabytes of white space.
  const std::size_t window = 4 * limit + 64;
  const bool cut_off = text.size() > window;
  std::string line = valid_utf8(on_one_line(text.substr(0, window)));
  if (line.size() <= limit) return cut_off ? line + "..." : line;
  std::size_t end = limit;
  while (end > 0 && is_continuation(line[end])) --end;
  line.resize(end);
  return line + "...";
}

std::string in_quotes(std::string_view text) { return '"' + one_line(text) + '"'; }

}  // namespace tgd::detail
