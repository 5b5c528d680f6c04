#include "core/json_reader.hpp"

#include <algorithm>
#include <cmath>
#include <istream>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/brackets.hpp"
#include "core/file.hpp"
#include "core/json_count.hpp"
#include "core/json_position.hpp"
#include "core/text.hpp"
#include "core/text_file.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

/// The keys from `from` to `wanted`, which is found by its address: places are needed in errors only.
template <class Value>
bool find_keys(const Value& from, const Value* wanted, std::vector<std::string>& keys) {
  if (&from == wanted) return true;
  if (!from.is_structured() || keys.size() > static_cast<std::size_t>(deepest_nesting)) return false;
  std::size_t index = 0;
  for (auto member = from.begin(); member != from.end(); ++member, ++index) {
    keys.push_back(from.is_object() ? member.key() : std::to_string(index));
    if (find_keys(*member, wanted, keys)) return true;
    keys.pop_back();
  }
  return false;
}

template <class Value>
std::string shown_json(const Value& value) {
  if (value.is_structured()) {
    return fmt::format("{} of {} {}", value.is_object() ? "an object" : "a list", value.size(),
                       value.is_object() ? "members" : "items");
  }
  return excerpt(value.dump(-1, ' ', false, Value::error_handler_t::replace), 60);
}

}  // namespace

template <class Value>
void JsonReader<Value>::fail(const std::string& message) const {
  std::vector<std::string> keys;
  find_keys(*root_, value_, keys);
  const std::size_t line = origin_->line + (origin_->text.empty() ? 0 : line_of(origin_->text, keys) - 1);
  std::string place = origin_->file.empty() ? "" : fmt::format("{}:{}: ", origin_->file, line);
  if (!keys.empty()) place += pointer(keys) + ": ";
  throw ParseError(place + message);
}

template <class Value>
void JsonReader<Value>::fail_kind(const std::string& expected) const {
  fail(fmt::format("expected {}, but this is {}", expected, shown_json(*value_)));
}

template <class Value>
JsonReader<Value> JsonReader<Value>::at(std::string_view key) const {
  if (const auto found = find(key)) return *found;
  fail(fmt::format("the member \"{}\" is missing", key));
}

template <class Value>
std::optional<JsonReader<Value>> JsonReader<Value>::find(std::string_view key) const {
  const auto found = object().find(std::string(key));
  return found == value_->end() ? std::nullopt : std::optional(child(*found));
}

template <class Value>
std::vector<std::pair<std::string, JsonReader<Value>>> JsonReader<Value>::members() const {
  std::vector<std::pair<std::string, JsonReader>> members;
  for (const auto& member : object().items()) members.emplace_back(member.key(), child(member.value()));
  return members;
}

template <class Value>
std::vector<JsonReader<Value>> JsonReader<Value>::items() const {
  if (!value_->is_array()) fail_kind("a list");
  std::vector<JsonReader> items;
  items.reserve(value_->size());
  for (const Value& item : *value_) items.push_back(child(item));
  return items;
}

template <class Value>
std::vector<JsonReader<Value>> JsonReader<Value>::items(std::size_t size) const {
  if (!value_->is_array() || value_->size() != size) fail_kind(fmt::format("a list of {} items", size));
  return items();
}

template <class Value>
bool JsonReader<Value>::is_null() const {
  return value_->is_null();
}

template <class Value>
bool JsonReader<Value>::is_list() const {
  return value_->is_array();
}

template <class Value>
std::string JsonReader<Value>::text() const {
  if (!value_->is_string()) fail_kind("a text");
  return value_->template get<std::string>();
}

template <class Value>
std::vector<std::string> JsonReader<Value>::texts() const {
  std::vector<std::string> texts;
  for (const JsonReader& item : items()) texts.push_back(item.text());
  return texts;
}

template <class Value>
bool JsonReader<Value>::flag() const {
  if (!value_->is_boolean()) fail_kind("true or false");
  return value_->template get<bool>();
}

template <class Value>
std::uint64_t JsonReader<Value>::count(std::uint64_t most) const {
  const std::optional<std::uint64_t> found = count_in(*value_);
  if (!found || *found > most) {
    const bool is_bounded = most != std::numeric_limits<std::uint64_t>::max();
    fail_kind(is_bounded ? fmt::format("a whole number from 0 to {}", most) : "a whole number from 0 up");
  }
  return *found;
}

template <class Value>
std::int64_t JsonReader<Value>::integer() const {
  const bool fits = value_->is_number_integer() &&
                    (!value_->is_number_unsigned() || value_->template get<std::uint64_t>() <=
                                                          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!fits) fail_kind("a whole number of 64 bits");
  return value_->template get<std::int64_t>();
}

template <class Value>
double JsonReader<Value>::number() const {
  if (!value_->is_number() || !std::isfinite(value_->template get<double>())) fail_kind("a number");
  return value_->template get<double>();
}

template <class Value>
std::vector<double> JsonReader<Value>::numbers() const {
  std::vector<double> numbers;
  for (const JsonReader& item : items()) numbers.push_back(item.number());
  return numbers;
}

template <class Value>
const Value& JsonReader<Value>::object() const {
  if (!value_->is_object()) fail_kind("an object");
  return *value_;
}

template <class Value>
JsonDocument<Value>::JsonDocument(std::string file, std::string text)
    : text_(std::move(text)),
      origin_{std::move(file), 1, text_},
      value_(std::make_shared<const Value>(parse_json<Value>(text_, origin_.file, 1))) {}

template <class Value>
void read_json_lines(const std::filesystem::path& path, const std::function<void(const JsonReader<Value>&)>& take,
                     const std::function<void(const ParseError&)>& pass_over, std::size_t most) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return;
  const std::unique_ptr<std::istream> file = open_text(path);
  JsonOrigin origin{path.string(), 0, {}};
  for (std::string line; origin.line < most && std::getline(*file, line);) {
    const bool is_whole = !file->eof();
    ++origin.line;
    if (trim(line).empty()) continue;
    try {
      std::optional<Value> value;
      try {
        value = parse_json<Value>(pass_over ? valid_utf8(line) : line, origin.file, origin.line);
      } catch (const ParseError&) {
        if (!is_whole) return;
        throw;
      }
      const JsonReader<Value> reader(*value, origin);
      reader.object();
      take(reader);
    } catch (const ParseError& error) {
      if (!pass_over) throw;
      pass_over(error);
    }
  }
}

template class JsonReader<nlohmann::json>;
template class JsonReader<nlohmann::ordered_json>;
template class JsonDocument<nlohmann::json>;
template class JsonDocument<nlohmann::ordered_json>;
template void read_json_lines(const std::filesystem::path&, const std::function<void(const JsonReader<nlohmann::json>&)>&,
                              const std::function<void(const ParseError&)>&, std::size_t);
template void read_json_lines(const std::filesystem::path&,
                              const std::function<void(const JsonReader<nlohmann::ordered_json>&)>&,
                              const std::function<void(const ParseError&)>&, std::size_t);

}  // namespace tgd::detail
