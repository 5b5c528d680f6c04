#include "task/document.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "core/file.hpp"
#include "core/json_parser.hpp"
#include "core/text.hpp"
#include "core/text_file.hpp"
#include "task/json_slips.hpp"

namespace tgd::cli {

namespace {

struct Position {
  std::size_t line = 1;
  bool at_line_end = false;
};

/// Hands the text to the parser and keeps the line of the character that the parser read last.
class TrackedText {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedText(const char* at, Position* position) : at_(at), position_(position) {}
  reference operator*() const { return *at_; }
  TrackedText& operator++() {
    if (position_->at_line_end) ++position_->line;
    position_->at_line_end = *at_ == '\n';
    ++at_;
    return *this;
  }
  friend bool operator==(const TrackedText& a, const TrackedText& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  Position* position_;
};

std::string joined_pointer(const std::string& parent, const std::string& key) {
  std::string pointer = parent + "/";
  for (const char c : key) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

std::size_t number_after(std::string_view text, std::string_view word) {
  const std::size_t found = text.find(word);
  std::size_t number = 1;
  if (found != text.npos) std::from_chars(text.data() + found + word.size(), text.data() + text.size(), number);
  return number;
}

struct LineAndColumn {
  std::size_t line;
  std::size_t column;
};

LineAndColumn place_of(std::string_view text, std::size_t position) {
  const std::string_view before = text.substr(0, position);
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto breaks = std::count(before.begin(), before.end(), '\n');
  return {static_cast<std::size_t>(breaks) + 1, position - line_begin + 1};
}

/// Receives the parser's events and notes on which line each value begins.
class LineRecorder {
 public:
  using number_integer_t = OrderedJson::number_integer_t;
  using number_unsigned_t = OrderedJson::number_unsigned_t;
  using number_float_t = OrderedJson::number_float_t;
  using string_t = OrderedJson::string_t;
  using binary_t = OrderedJson::binary_t;

  LineRecorder(std::string file, std::string_view text, const Position& position)
      : file_(std::move(file)), text_(text), position_(position) {}
  std::map<std::string, std::size_t> take_lines() { return std::move(lines_); }

  bool null() { return scalar(); }
  bool boolean(bool) { return scalar(); }
  bool number_integer(number_integer_t) { return scalar(); }
  bool number_unsigned(number_unsigned_t) { return scalar(); }
  bool number_float(number_float_t, const string_t&) { return scalar(); }
  bool string(string_t&) { return scalar(); }
  bool binary(binary_t&) { return scalar(); }
  bool start_object(std::size_t) { return open(false); }
  bool start_array(std::size_t) { return open(true); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(string_t& name) {
    pending_ = joined_pointer(levels_.back().pointer, name);
    if (!lines_.emplace(pending_, position_.line).second) {
      throw TaskError(fmt::format("{}:{}: {}: the key \"{}\" is there twice, first on line {}; keep one of them", file_,
                                  position_.line, pending_, name, lines_[pending_]));
    }
    return true;
  }
  bool parse_error(std::size_t read, const std::string&, const nlohmann::detail::exception& error) {
    if (const auto slip = find_json_slip(text_, read)) fail(place_of(text_, slip->position), slip->advice);
    // "… at line 3, column 5: the reason"
    const std::string text = error.what();
    const std::size_t reason = text.find(": ", text.find("column "));
    fail({number_after(text, "line "), number_after(text, "column ")}, text.substr(reason == text.npos ? 0 : reason + 2));
  }

 private:
  struct Level {
    std::string pointer;
    bool is_array;
    std::size_t next_item = 0;
  };

  /// The pointer of the value that begins now.
  std::string begin_value() {
    if (levels_.empty() || !levels_.back().is_array) return std::exchange(pending_, {});
    std::string pointer = joined_pointer(levels_.back().pointer, std::to_string(levels_.back().next_item++));
    lines_.emplace(pointer, position_.line);
    return pointer;
  }
  bool scalar() {
    begin_value();
    return true;
  }
  bool open(bool is_array) {
    std::string pointer = begin_value();
    if (levels_.empty()) lines_.emplace(pointer, position_.line);
    levels_.push_back({std::move(pointer), is_array});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }

  [[noreturn]] void fail(const LineAndColumn& place, const std::string& reason) const {
    throw TaskError(
        fmt::format("{}:{}:{}: not valid JSON (comments are allowed): {}", file_, place.line, place.column, reason));
  }

  std::string file_;
  std::string_view text_;
  const Position& position_;
  std::map<std::string, std::size_t> lines_;
  std::vector<Level> levels_;
  std::string pending_;
};

std::string shown(const OrderedJson& value) {
  if (value.is_object() && !value.empty()) return "an object";
  if (value.is_array() && !value.empty()) return "an array";
  return detail::excerpt(value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace), 60);
}

}  // namespace

std::string quoted_list(const std::vector<std::string>& words) {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) list += i + 1 == words.size() ? " and " : ", ";
    list += "\"" + words[i] + "\"";
  }
  return list;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& words) {
  const std::vector<std::string_view> candidates(words.begin(), words.end());
  const std::string_view near = detail::nearest(word, candidates);
  return near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near);
}

TaskDocument TaskDocument::read(const std::filesystem::path& file) {
  try {
    return TaskDocument(file, detail::read_text_file(file));
  } catch (const TaskError&) {
    throw;
  } catch (const Error& error) {
    throw TaskError(error.what());
  }
}

TaskDocument::TaskDocument(std::filesystem::path file, std::string_view text) {
  try {
    detail::expect_shallow(text, detail::JsonComments::allowed, file.string());
  } catch (const ParseError& error) {
    throw TaskError(error.what());
  }
  Position position;
  LineRecorder recorder(file.string(), text, position);
  OrderedJson::sax_parse(TrackedText(text.data(), &position), TrackedText(text.data() + text.size(), &position), &recorder,
                         OrderedJson::input_format_t::json, true, true);
  content_ = std::make_shared<const Content>(
      Content{std::move(file), detail::parse_shallow<OrderedJson>(text, detail::JsonComments::allowed), recorder.take_lines()});
}

TaskValue TaskDocument::root() const { return {content_, &content_->json, ""}; }

std::string TaskValue::place() const {
  const auto line = content_->lines.find(pointer_);
  return fmt::format("{}:{}: {}", content_->file.string(), line == content_->lines.end() ? 1 : line->second,
                     pointer_.empty() ? "the task" : pointer_);
}

void TaskValue::fail(const std::string& message) const { throw TaskError(place() + ": " + message); }

void TaskValue::fail_kind(const std::string& expected) const {
  fail(fmt::format("expected {}, but this is {}", expected, shown(*value_)));
}

TaskValue TaskValue::child(const std::string& key, const OrderedJson& value) const {
  return {content_, &value, joined_pointer(pointer_, key)};
}

void TaskValue::expect_object(const std::vector<std::string>& known) const {
  if (!value_->is_object()) fail_kind("an object with " + quoted_list(known));
  for (const auto& member : value_->items()) {
    if (std::find(known.begin(), known.end(), member.key()) != known.end()) continue;
    child(member.key(), member.value())
        .fail(fmt::format("unknown key \"{}\"; known here: {}{}", member.key(), quoted_list(known),
                          did_you_mean(member.key(), known)));
  }
}

bool TaskValue::has(const std::string& key) const { return value_->is_object() && value_->contains(key); }

std::optional<TaskValue> TaskValue::find(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  return child(key, (*value_)[key]);
}

TaskValue TaskValue::at(const std::string& key, const std::string& example) const {
  if (auto value = find(key)) return *value;
  if (!value_->is_object()) fail_kind("an object");
  std::vector<std::string> keys;
  for (const auto& member : value_->items()) keys.push_back(member.key());
  fail(fmt::format("the key \"{}\" is missing; write for example \"{}\": {}{}", key, key, example, did_you_mean(key, keys)));
}

std::vector<std::pair<std::string, TaskValue>> TaskValue::members() const {
  if (!value_->is_object()) fail_kind("an object");
  std::vector<std::pair<std::string, TaskValue>> members;
  for (const auto& member : value_->items()) members.emplace_back(member.key(), child(member.key(), member.value()));
  return members;
}

std::vector<TaskValue> TaskValue::items() const {
  if (!value_->is_array()) fail_kind("a list");
  std::vector<TaskValue> items;
  for (std::size_t i = 0; i < value_->size(); ++i) items.push_back(child(std::to_string(i), (*value_)[i]));
  return items;
}

std::string TaskValue::text() const {
  if (!value_->is_string()) fail_kind("a text");
  return value_->get<std::string>();
}

std::string TaskValue::nonempty_text() const {
  std::string value = text();
  if (detail::trim(value).empty()) fail("the text is empty");
  return value;
}

std::string TaskValue::one_of(const std::vector<std::string>& words) const {
  std::string word = text();
  if (std::find(words.begin(), words.end(), word) != words.end()) return word;
  fail(fmt::format("\"{}\" is not known; {} {}{}", word, words.size() == 1 ? "there is only" : "there are", quoted_list(words),
                   did_you_mean(word, words)));
}

bool TaskValue::flag() const {
  if (!value_->is_boolean()) fail_kind("true or false");
  return value_->get<bool>();
}

std::uint64_t TaskValue::count(CountRange range) const {
  const bool in_range =
      value_->is_number_unsigned() && value_->get<std::uint64_t>() >= range.least && value_->get<std::uint64_t>() <= range.most;
  if (!in_range) {
    fail_kind(range.most == CountRange().most ? fmt::format("a whole number from {}", range.least)
                                              : fmt::format("a whole number from {} to {}", range.least, range.most));
  }
  return value_->get<std::uint64_t>();
}

double TaskValue::real(RealRange range) const {
  const double number = value_->is_number() ? value_->get<double>() : std::numeric_limits<double>::quiet_NaN();
  const bool above = range.with_least ? number >= range.least : number > range.least;
  const bool below = range.with_most ? number <= range.most : number < range.most;
  if (!above || !below) {
    const std::string least = fmt::format("a number {} {}", range.with_least ? "from" : "above", range.least);
    const bool is_open = std::isinf(range.most);
    fail_kind(is_open ? least : fmt::format("{} {} {}", least, range.with_most ? "to" : "and below", range.most));
  }
  return number;
}

Json TaskValue::object() const {
  if (!value_->is_object()) fail_kind("an object");
  return *value_;
}

std::filesystem::path TaskValue::folder() const {
  const std::filesystem::path folder = content_->file.parent_path();
  return folder.empty() ? "." : folder;
}

std::filesystem::path TaskValue::path() const {
  const std::string name = nonempty_text();
  if (name.find("${") != name.npos) {
    fail(
        "${NAME} stands for a variable of the environment in \"base_url\", \"api_key\", \"headers\", \"secret_headers\" and "
        "\"query\" only; write the path itself, "
        "relative to the task file's folder");
  }
  return content_->file.parent_path() / name;
}

}  // namespace tgd::cli
