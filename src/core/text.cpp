#include "core/text.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tgd::detail {

namespace {

// Insertions, deletions, replacements and swaps of two neighbours count one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = std::min({last[j] + (a[i] == b[j] ? 0 : 1), row[j] + 1, last[j + 1] + 1});
      const bool swapped = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
      if (swapped) row[j + 1] = std::min(row[j + 1], before_last[j - 1] + 1);
    }
  }
  return row[b.size()];
}

/// Without a last character that was cut in two.
std::string_view whole_characters(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && is_continuation(text[end - 1])) --end;
  if (end == 0) return {};
  const auto lead = static_cast<unsigned char>(text[end - 1]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return end - 1 + length <= text.size() ? text : text.substr(0, end - 1);
}

}  // namespace

std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  while (end < text.size() && count > 0) {
    ++end;
    while (end < text.size() && is_continuation(text[end])) ++end;
    --count;
  }
  return text.substr(0, end);
}

std::string_view last_characters(std::string_view text, std::size_t count) {
  std::size_t begin = text.size();
  while (begin > 0 && count > 0) {
    --begin;
    while (begin > 0 && is_continuation(text[begin])) --begin;
    --count;
  }
  return text.substr(begin);
}

std::size_t count_characters(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_continuation));
}

std::string shorten(std::string_view text) {
  if (count_characters(text) <= 40) return std::string(text);
  return std::string(first_characters(text, 20)) + "..." + std::string(last_characters(text, 20));
}

std::string excerpt(std::string_view text, std::size_t limit) {
  const std::string_view head = first_characters(text, limit);
  return head.size() == text.size() ? std::string(text) : std::string(head) + "...";
}

std::string cut_middle(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  const std::string mark = "\n[... " + std::to_string(text.size() - limit) + " or more characters are left out here ...]\n";
  if (limit <= mark.size()) return std::string(whole_characters(text.substr(0, limit)));
  const std::size_t kept = limit - mark.size();
  const std::string_view head = whole_characters(text.substr(0, kept - kept / 3));
  std::string_view tail = text.substr(text.size() - kept / 3);
  while (!tail.empty() && is_continuation(tail.front())) tail.remove_prefix(1);
  return std::string(head) + mark + std::string(tail);
}

std::string cut_middle(std::string&& text, std::size_t limit) {
  return text.size() <= limit ? std::move(text) : cut_middle(std::string_view(text), limit);
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return upper;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string joined;
  for (const std::string& part : parts) {
    if (&part != parts.data()) joined += separator;
    joined += part;
  }
  return joined;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string join_items(std::span<const std::string> texts) {
  if (texts.size() == 1) return texts.front();
  std::string joined;
  for (const std::string& text : texts) joined.append("<ITEM>").append(text).append("</ITEM>");
  return joined;
}

}  // namespace tgd::detail
