#include <iterator>

#include <nlohmann/json.hpp>

#include <tgd/data/records.hpp>

#include "core/json_position.hpp"
#include "data/json_fields.hpp"
#include "data/record_content.hpp"

namespace tgd::data {

namespace {

using nlohmann::json;

std::shared_ptr<const Records::Content> read_document(const std::filesystem::path& path, const Fields& fields,
                                                      const std::string& pointer) {
  std::ifstream input = detail::open_file(path);
  const std::string text(std::istreambuf_iterator<char>(input), {});
  const std::string name = path.string();
  const auto file = std::make_shared<const std::string>(name);
  const json document = tgd::detail::parse_json(text, name, 1);
  detail::JsonPath place = detail::json_path(pointer);
  const auto line = [&] { return fmt::format("{}:{}", name, tgd::detail::line_of(text, place.keys)); };

  const json* array = &document;
  detail::in_place([&] { return fmt::format("{}:1", name); }, [&] { array = &detail::find_in(document, place); });
  detail::in_place(line, [&] {
    if (!array->is_array()) {
      throw ParseError(fmt::format("expected an array of records{}, found the type {}",
                                   pointer.empty() ? "" : fmt::format(" at \"{}\"", pointer), array->type_name()));
    }
  });
  detail::JsonFields taken(fields);
  Records::Content content;
  std::vector<Data> values;
  for (std::size_t i = 0; i < array->size(); ++i) {
    place.keys.push_back(std::to_string(i));
    detail::in_place(line, [&] { taken.take((*array)[i], values); });
    content.records.push_back(detail::make_record(taken.fields(), values, {file, i, 0}));
    place.keys.pop_back();
  }
  content.names = detail::names_of(taken.fields());
  return std::make_shared<const Records::Content>(std::move(content));
}

}  // namespace

JsonFile::JsonFile(const std::filesystem::path& path, const Fields& fields, const std::string& records)
    : Records(read_document(path, fields, records)) {}

}  // namespace tgd::data
