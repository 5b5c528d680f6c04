#include <algorithm>
#include <charconv>
#include <iterator>

#include <nlohmann/json.hpp>

#include <tgd/data/records.hpp>

#include "core/text.hpp"
#include "data/json_position.hpp"
#include "data/record_builder.hpp"

namespace tgd::data {

namespace {

using nlohmann::json;

/// A field and the keys on the way to it.
struct Path {
  std::string source;
  std::vector<std::string> keys;
};

Path path_of(const std::string& source) {
  const bool is_pointer = source.empty() || source.front() == '/';
  return {source, is_pointer ? detail::pointer_keys(source) : std::vector{source}};
}

std::vector<Path> paths_of(const Fields& fields) {
  std::vector<Path> paths;
  for (const Field& field : fields) paths.push_back(path_of(field.source));
  return paths;
}

std::vector<std::string> keys_of(const json& object) {
  std::vector<std::string> keys;
  for (const auto& member : object.items()) keys.push_back(member.key());
  return keys;
}

/// The first `depth` keys of a path, written as its source is.
std::string prefix_of(const Path& path, std::size_t depth) {
  return path.source.front() == '/'
             ? detail::pointer({path.keys.begin(), path.keys.begin() + static_cast<std::ptrdiff_t>(depth)})
             : path.source;
}

[[noreturn]] void throw_missing(const Path& path, std::size_t depth, const json& parent) {
  const std::string owner = depth == 0 ? "the record" : fmt::format("\"{}\"", prefix_of(path, depth));
  if (!parent.is_object()) {
    const std::string items = parent.is_array() ? fmt::format(" of {} items", parent.size()) : "";
    throw ParseError(fmt::format("no field \"{}\"; {} is of the type {}{}", path.source, owner, parent.type_name(), items));
  }
  std::vector<std::string> siblings = keys_of(parent);
  if (path.source.front() == '/') {
    for (std::string& key : siblings) key = prefix_of(path, depth) + detail::pointer({key});
  }
  // The path as far as it was followed, so that a wrong key in the middle finds its nearest spelling, too.
  throw ParseError(
      fmt::format("no field \"{}\"; {}", path.source, detail::existing_names(prefix_of(path, depth + 1), siblings)));
}

const json* child(const json& parent, const std::string& key) {
  if (parent.is_object()) {
    const auto found = parent.find(key);
    return found == parent.end() ? nullptr : &*found;
  }
  if (!parent.is_array()) return nullptr;
  std::size_t index = 0;
  std::from_chars(key.data(), key.data() + key.size(), index);
  const bool is_index = std::to_string(index) == key;  // no sign, no leading zeros, nothing behind
  return is_index && index < parent.size() ? &parent[index] : nullptr;
}

const json& find(const json& record, const Path& path) {
  const json* value = &record;
  for (std::size_t depth = 0; depth < path.keys.size(); ++depth) {
    const json* next = child(*value, path.keys[depth]);
    if (next == nullptr) throw_missing(path, depth, *value);
    value = next;
  }
  return *value;
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

/// Takes the fields out of the records of a JSON or JSON Lines file.
class JsonRecords {
 public:
  explicit JsonRecords(const Fields& fields) : paths_(paths_of(fields)), builder_(detail::names_of(fields)) {}

  void add(const json& record) {
    if (paths_.empty()) take_fields_of(record);
    std::vector<Data> values;
    for (const Path& path : paths_) values.push_back(data_of(find(record, path), path.source));
    builder_.add(std::move(values));
  }
  std::shared_ptr<const Records::Content> finish() { return builder_.finish(); }

 private:
  void take_fields_of(const json& record) {
    if (!record.is_object() || record.empty()) {
      throw ParseError(
          fmt::format("the record is of the type {} and names no fields; expected an object, or say which fields "
                      "to take",
                      record.type_name()));
    }
    const std::vector<std::string> keys = keys_of(record);
    for (const std::string& key : keys) paths_.push_back({key, {key}});
    builder_ = detail::RecordBuilder(keys);
  }

  std::vector<Path> paths_;
  detail::RecordBuilder builder_;
};

std::shared_ptr<const Records::Content> read_lines(const std::filesystem::path& path, const Fields& fields) {
  std::ifstream file = detail::open_file(path);
  const std::string name = path.string();
  JsonRecords records(fields);
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (tgd::detail::trim(line).empty()) continue;
    const json record = detail::parse_json(line, name, number);
    detail::in_place([&] { return fmt::format("{}:{}", name, number); }, [&] { records.add(record); });
  }
  return records.finish();
}

std::shared_ptr<const Records::Content> read_document(const std::filesystem::path& path, const Fields& fields,
                                                      const std::string& pointer) {
  std::ifstream file = detail::open_file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::string name = path.string();
  const json document = detail::parse_json(text, name, 1);
  Path place = path_of(pointer);
  const auto line = [&] { return fmt::format("{}:{}", name, detail::line_of(text, place.keys)); };

  const json* array = &document;
  detail::in_place([&] { return fmt::format("{}:1", name); }, [&] { array = &find(document, place); });
  detail::in_place(line, [&] {
    if (!array->is_array()) {
      throw ParseError(fmt::format("expected an array of records{}, found the type {}",
                                   pointer.empty() ? "" : fmt::format(" at \"{}\"", pointer), array->type_name()));
    }
  });
  JsonRecords records(fields);
  for (std::size_t i = 0; i < array->size(); ++i) {
    place.keys.push_back(std::to_string(i));
    detail::in_place(line, [&] { records.add((*array)[i]); });
    place.keys.pop_back();
  }
  return records.finish();
}

}  // namespace

JsonLinesFile::JsonLinesFile(const std::filesystem::path& path, const Fields& fields) : Records(read_lines(path, fields)) {}

JsonFile::JsonFile(const std::filesystem::path& path, const Fields& fields, const std::string& records)
    : Records(read_document(path, fields, records)) {}

}  // namespace tgd::data
