#include "core/json_position.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/brackets.hpp"
#include "core/json_parser.hpp"
#include "core/text.hpp"

namespace tgd::detail {

namespace {

using nlohmann::json;

/// The parser's reason without its own position.
std::string reason_of(const json::exception& error) {
  const std::string_view text = error.what();
  const std::size_t position = text.find(": ");
  return excerpt(position == std::string_view::npos ? text : text.substr(position + 2));
}

std::size_t line_at(std::string_view text, std::size_t offset) {
  return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, offset), '\n'));
}

/// In characters, from 1.
std::size_t column_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::string_view on_line = before.substr(before.rfind('\n') + 1);
  return 1 + count_characters(on_line);
}

/// Walks over valid JSON text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) { skip_space(); }

  std::size_t offset() const { return offset_; }

  /// From the beginning of an object or array to that of the value under `key`: the last one, which is what parsing keeps.
  void enter(const std::string& key) {
    const bool is_object = text_[offset_] == '{';
    std::size_t found = offset_;
    step();
    for (std::size_t index = 0; text_[offset_] != '}' && text_[offset_] != ']'; ++index) {
      const std::string name = is_object ? take_key() : std::to_string(index);
      if (name == key) found = offset_;
      skip_value();
      if (text_[offset_] == ',') step();
    }
    offset_ = found;
  }

 private:
  void skip_space() { offset_ = std::min(text_.find_first_not_of(" \t\r\n", offset_), text_.size()); }
  void step() {
    ++offset_;
    skip_space();
  }

  std::string take_key() {
    const std::size_t begin = offset_;
    skip_string();
    std::string key = json::parse(text_.substr(begin, offset_ - begin)).get<std::string>();
    skip_space();
    step();  // the colon
    return key;
  }

  void skip_string() {
    for (++offset_; text_[offset_] != '"'; ++offset_) {
      if (text_[offset_] == '\\') ++offset_;
    }
    ++offset_;
  }

  void skip_value() {
    std::size_t depth = 0;
    do {
      switch (text_[offset_]) {
        case '"':
          skip_string();
          break;
        case '{':
        case '[':
          ++depth, ++offset_;
          break;
        case '}':
        case ']':
          --depth, ++offset_;
          break;
        case ',':
        case ':':
          ++offset_;
          break;
        default:
          offset_ = std::min(text_.find_first_of(",:{}[]\" \t\r\n", offset_), text_.size());
      }
      skip_space();
    } while (depth > 0);
  }

  std::string_view text_;
  std::size_t offset_ = 0;
};

}  // namespace

template <class Value>
Value parse_json(std::string_view text, const std::string& file, std::size_t first_line) {
  if (const auto deep = too_deep_at(text, false)) {
    throw ParseError(fmt::format("{}:{}:{}: not valid JSON: brackets are nested more than {} deep here", file,
                                 first_line + line_at(text, *deep) - 1, column_at(text, *deep), deepest_nesting));
  }
  try {
    return parse_shallow<Value>(text);
  } catch (const json::parse_error& error) {
    const std::size_t offset = std::min(error.byte == 0 ? 0 : error.byte - 1, text.size());
    throw ParseError(fmt::format("{}:{}:{}: not valid JSON: {}", file, first_line + line_at(text, offset) - 1,
                                 column_at(text, offset), reason_of(error)));
  } catch (const json::exception& error) {  // a number that no double holds
    throw ParseError(fmt::format("{}:{}: not valid JSON: {}", file, first_line, reason_of(error)));
  }
}

template json parse_json(std::string_view, const std::string&, std::size_t);
template nlohmann::ordered_json parse_json(std::string_view, const std::string&, std::size_t);

std::size_t line_of(std::string_view text, std::span<const std::string> keys) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  Cursor cursor(text);
  for (const std::string& key : keys) cursor.enter(key);
  return line_at(text, cursor.offset());
}

std::vector<std::string> pointer_keys(std::string_view pointer) {
  try {
    json::json_pointer rest{std::string(pointer)};
    std::vector<std::string> keys;
    for (; !rest.empty(); rest.pop_back()) keys.push_back(rest.back());
    std::ranges::reverse(keys);
    return keys;
  } catch (const json::exception& error) {
    throw ValueError(fmt::format("\"{}\" is no JSON pointer: {}", pointer, reason_of(error)));
  }
}

std::string pointer(const std::vector<std::string>& keys) {
  json::json_pointer pointer;
  for (const std::string& key : keys) pointer.push_back(key);
  return pointer.to_string();
}

}  // namespace tgd::detail
