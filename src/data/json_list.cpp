#include "data/json_list.hpp"

#include <functional>
#include <map>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/json_parser.hpp"
#include "core/text_file.hpp"

namespace tgd::data::detail {

namespace {

constexpr int no_more_bytes = std::char_traits<char>::eof();

bool is_json_blank(int c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void add_byte(std::string* text, int c) {
  if (text != nullptr) *text += static_cast<char>(c);
}

}  // namespace

JsonList::JsonList(const std::filesystem::path& path, const std::string& encoding) : path_(path), encoding_(encoding) {
  open();
  skip_blanks();
  if (peek() == '{') {
    member_ = find_list();
    if (!member_) throw Irregular{};
    open();
    expect('{');
    const bool is_there = visit_members(
        0, [this](std::size_t number, const std::string&) { return number == *member_ ? Visit::stay : Visit::skip; });
    if (!is_there) throw Irregular{};
  }
  expect('[');
}

void JsonList::open() {
  in_ = tgd::detail::open_text(path_, encoding_);
  line_ = 1;
}

int JsonList::take() {
  const int c = in_->rdbuf()->sbumpc();
  if (c == '\n') ++line_;
  return c;
}

void JsonList::skip_blanks() {
  while (is_json_blank(peek())) take();
}

void JsonList::expect(char wanted) {
  skip_blanks();
  if (take() != wanted) throw Irregular{};
}

std::string JsonList::take_key() {
  skip_blanks();
  if (peek() != '"') throw Irregular{};
  std::string quoted;
  take_text(&quoted);
  const nlohmann::json key = tgd::detail::parse_or_discard<nlohmann::json>(quoted);
  if (!key.is_string()) throw Irregular{};
  expect(':');
  skip_blanks();
  return key.get<std::string>();
}

void JsonList::take_text(std::string* text) {
  add_byte(text, take());  // the quotation mark
  for (int c = take(); c != '"'; c = take()) {
    if (c == no_more_bytes) throw Irregular{};
    add_byte(text, c);
    if (c == '\\') add_byte(text, take());
  }
  add_byte(text, '"');
}

void JsonList::take_brackets(std::string* text) {
  std::size_t depth = 0;
  do {
    if (peek() == '"') {
      take_text(text);
      continue;
    }
    const int c = take();
    if (c == no_more_bytes) throw Irregular{};
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    add_byte(text, c);
  } while (depth > 0);
}

void JsonList::take_value(std::string* text) {
  skip_blanks();
  const int first = peek();
  if (first == '"') return take_text(text);
  if (first == '{' || first == '[') return take_brackets(text);
  std::size_t size = 0;
  constexpr std::string_view ends = ",]}:\"{[";
  for (int c = first; c != no_more_bytes && !is_json_blank(c) && ends.find(static_cast<char>(c)) == std::string_view::npos;
       c = peek()) {
    add_byte(text, take());
    ++size;
  }
  if (size == 0) throw Irregular{};
}

bool JsonList::visit_members(std::size_t first, const std::function<Visit(std::size_t, const std::string&)>& visit) {
  skip_blanks();
  if (first == 0 && peek() == '}') return false;
  for (std::size_t number = first;; ++number) {
    const std::string name = take_key();
    switch (visit(number, name)) {
      case Visit::stay:
        return true;
      case Visit::skip:
        take_value(nullptr);
        break;
      case Visit::skipped:
        break;
    }
    skip_blanks();
    if (peek() == '}') return false;
    expect(',');
  }
}

/// Its number among the members. Of several of one name the last one counts, as it does where all is parsed.
std::optional<std::size_t> JsonList::find_list() {
  std::map<std::string, std::size_t> lists;
  expect('{');
  visit_members(0, [&](std::size_t number, const std::string& name) {
    lists.erase(name);
    if (peek() != '[') return Visit::skip;
    take();
    skip_blanks();
    if (peek() == '{') lists[name] = number;
    // The rest of the list: its values, up to the bracket that closes it.
    for (skip_blanks(); peek() != ']'; skip_blanks()) {
      take_value(nullptr);
      skip_blanks();
      if (peek() == ',') take();
    }
    take();
    return Visit::skipped;
  });
  return lists.size() == 1 ? std::optional(lists.begin()->second) : std::nullopt;
}

bool JsonList::next(std::string& element) {
  element.clear();
  if (place_ == Place::behind_last) return false;
  skip_blanks();
  if (place_ == Place::before_first && peek() == ']') {
    take();
    finish();
    return false;
  }
  if (place_ == Place::between) {
    if (peek() == ']') {
      take();
      finish();
      return false;
    }
    expect(',');
    skip_blanks();
  }
  place_ = Place::between;
  line_of_element_ = line_;
  take_value(&element);
  return true;
}

/// What is behind the list.
void JsonList::finish() {
  place_ = Place::behind_last;
  if (member_) {
    skip_blanks();
    if (peek() == ',') {
      take();
      visit_members(*member_ + 1, [](std::size_t, const std::string&) { return Visit::skip; });
    }
    expect('}');
  }
  skip_blanks();
  if (peek() != no_more_bytes) throw Irregular{};
}

}  // namespace tgd::data::detail
