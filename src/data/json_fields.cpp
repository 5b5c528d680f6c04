#include "data/json_fields.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "core/json_position.hpp"
#include "data/record_content.hpp"

namespace tgd::data::detail {

namespace {

using json = nlohmann::ordered_json;
using tgd::detail::pointer;
using tgd::detail::pointer_keys;

std::vector<std::string> keys_of(const json& object) {
  std::vector<std::string> keys;
  for (const auto& member : object.items()) keys.push_back(member.key());
  return keys;
}

/// The first `depth` keys of a path, written as its source is.
std::string prefix_of(const JsonPath& path, std::size_t depth) {
  return path.source.front() == '/' ? pointer({path.keys.begin(), path.keys.begin() + static_cast<std::ptrdiff_t>(depth)})
                                    : path.source;
}

[[noreturn]] void throw_missing(const JsonPath& path, std::size_t depth, const json& parent) {
  const std::string owner = depth == 0 ? "the record" : fmt::format("\"{}\"", prefix_of(path, depth));
  if (!parent.is_object()) {
    const std::string items = parent.is_array() ? fmt::format(" of {} items", parent.size()) : "";
    throw ParseError(fmt::format("no field \"{}\"; {} is of the type {}{}", path.source, owner, parent.type_name(), items));
  }
  std::vector<std::string> siblings = keys_of(parent);
  if (path.source.front() == '/') {
    for (std::string& key : siblings) key = prefix_of(path, depth) + pointer({key});
  }
  // The path as far as it was followed, so that a wrong key in the middle finds its nearest spelling, too.
  throw ParseError(fmt::format("no field \"{}\"; {}", path.source, existing_names(prefix_of(path, depth + 1), siblings)));
}

/// The last item that says of itself that this is its role, as in chats.
const json* last_message_of(const json& messages, const std::string& role) {
  const json* found = nullptr;
  for (const json& message : messages) {
    if (!message.is_object()) continue;
    for (const char* key : {"role", "from"}) {
      const auto member = message.find(key);
      if (member != message.end() && *member == role) found = &message;
    }
  }
  return found;
}

const json* child(const json& parent, const std::string& key) {
  if (parent.is_object()) {
    const auto found = parent.find(key);
    return found == parent.end() ? nullptr : &*found;
  }
  if (!parent.is_array()) return nullptr;
  if (const json* message = last_message_of(parent, key)) return message;
  std::size_t index = 0;
  std::from_chars(key.data(), key.data() + key.size(), index);
  const bool is_index = std::to_string(index) == key;  // no sign, no leading zeros, nothing behind
  return is_index && index < parent.size() ? &parent[index] : nullptr;
}

bool is_deeper_than(const json& value, int levels) {
  if (!value.is_structured()) return false;
  return levels == 0 || std::ranges::any_of(value, [&](const json& item) { return is_deeper_than(item, levels - 1); });
}

Data data_of(const json& value, const std::string& source) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    throw ParseError(fmt::format("the field \"{}\" is {}, more than a whole number of 64 bits holds", source, value.dump()));
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_null()) throw ParseError(fmt::format("the field \"{}\" is null; expected text or a number", source));
  constexpr int most_levels = 200;  // writing JSON recurses
  if (is_deeper_than(value, most_levels)) {
    throw ParseError(fmt::format("the field \"{}\" is nested deeper than {} levels", source, most_levels));
  }
  return value.dump();
}

Data value_of(const json& record, const JsonPath& path, bool is_lenient) {
  if (!is_lenient) return data_of(find_in(record, path), path.source);
  const json* value = &record;
  for (std::size_t depth = 0; value != nullptr && depth < path.keys.size(); ++depth) value = child(*value, path.keys[depth]);
  if (value == nullptr || value->is_null()) return "";
  if (value->is_number()) return value->is_number_float() ? Data(value->get<double>()).item_text() : value->dump();
  return data_of(*value, path.source);
}

/// A source that names a member whatever its key is.
std::string source_of(const std::string& key) { return key.empty() || key.front() == '/' ? pointer({key}) : key; }

}  // namespace

JsonPath json_path(const std::string& source) {
  const bool is_pointer = source.empty() || source.front() == '/';
  return {source, is_pointer ? pointer_keys(source) : std::vector{source}};
}

const json& find_in(const json& record, const JsonPath& path) {
  const json* value = &record;
  for (std::size_t depth = 0; depth < path.keys.size(); ++depth) {
    const json* next = child(*value, path.keys[depth]);
    if (next == nullptr) throw_missing(path, depth, *value);
    value = next;
  }
  return *value;
}

JsonFields::JsonFields(const Fields& fields) : fields_(fields) {
  names_of(fields);  // which checks them
  for (const Field& field : fields) paths_.push_back(json_path(field.source));
}

void JsonFields::take(const json& record, std::vector<Data>& values) {
  if (paths_.empty()) take_fields_of(record);
  values.clear();
  for (std::size_t i = 0; i < paths_.size(); ++i) values.push_back(value_of(record, paths_[i], fields_[i].is_lenient));
  check_kinds(values);
}

void JsonFields::take_fields_of(const json& record) {
  if (!record.is_object() || record.empty()) {
    throw ParseError(
        fmt::format("the record is of the type {} and names no fields; expected an object, or say which fields to take",
                    record.type_name()));
  }
  for (const std::string& key : keys_of(record)) {
    fields_.emplace_back(key, source_of(key));
    paths_.push_back(json_path(fields_.back().source));
  }
}

void JsonFields::check_kinds(const std::vector<Data>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == is_text_.size()) is_text_.push_back(values[i].is_text());
    if (values[i].is_text() == is_text_[i]) continue;
    throw ParseError(fmt::format("the field \"{}\" is {} here, but {} in the first record", fields_[i].name,
                                 is_text_[i] ? "a number" : "text", is_text_[i] ? "text" : "a number"));
  }
}

}  // namespace tgd::data::detail
