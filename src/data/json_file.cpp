#include <iterator>
#include <optional>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <tgd/data/records.hpp>

#include "core/json_parser.hpp"
#include "core/json_position.hpp"
#include "core/text.hpp"
#include "core/text_file.hpp"
#include "data/json_fields.hpp"
#include "data/json_list.hpp"
#include "data/record_content.hpp"
#include "data/record_reader.hpp"

namespace tgd::data {

namespace {

using json = nlohmann::ordered_json;

/// The member that is a list of objects, as in {"data": […]}.
std::string only_list_of(const json& document) {
  std::vector<std::string> lists;
  for (const auto& member : document.items()) {
    const json& value = member.value();
    if (value.is_array() && !value.empty() && value[0].is_object()) lists.push_back(member.key());
  }
  if (lists.size() == 1) return lists[0];
  throw ParseError(fmt::format("expected an array of records, found an object {}",
                               lists.empty() ? "without one" : fmt::format("with several: {}", fmt::join(lists, ", "))));
}

json parse_document(const std::string& text, const std::string& name) {
  try {
    return tgd::detail::parse_json<json>(text, name, 1);
  } catch (const ParseError& error) {
    const std::string first(tgd::detail::trim(std::string_view(text).substr(0, text.find('\n'))));
    if (!tgd::detail::parse_or_discard<json>(first).is_object()) throw;
    throw ParseError(
        fmt::format("{}. The first line is a JSON object: a file with one on each line is called .jsonl", error.what()));
  }
}

std::shared_ptr<const Records::Content> read_document(const std::filesystem::path& path, const Fields& fields,
                                                      const std::string& pointer, const std::string& encoding) {
  const auto input = tgd::detail::open_text(path, encoding);
  const std::string text(std::istreambuf_iterator<char>(*input), {});
  const std::string name = path.string();
  const auto file = std::make_shared<const std::string>(name);
  const json document = parse_document(text, name);
  detail::JsonPath place = detail::json_path(pointer);
  const auto line = [&] { return fmt::format("{}:{}", name, tgd::detail::line_of(text, place.keys)); };

  const json* array = &document;
  detail::in_place([&] { return fmt::format("{}:1", name); },
                   [&] {
                     if (pointer.empty() && document.is_object()) place.keys = {only_list_of(document)};
                     array = &detail::find_in(document, place);
                   });
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

/// One record after the other. What is wrong with the document is found by parsing all of it.
class JsonReader final : public detail::RecordReader {
 public:
  JsonReader(const std::filesystem::path& path, const Fields& fields, const std::string& encoding)
      : RecordReader(path.string()), path_(path), encoding_(encoding), fields_(fields) {
    try {
      list_.emplace(path, encoding);
    } catch (const detail::JsonList::Irregular&) {
      explain();
    }
  }

  const Fields& fields() const override { return fields_.fields(); }
  const json* record() const override { return &record_; }

 private:
  bool read(std::vector<Data>& values) override {
    try {
      if (!list_->next(text_)) return false;
    } catch (const detail::JsonList::Irregular&) {
      explain();
    }
    record_ = tgd::detail::parse_or_discard<json>(text_);
    if (record_.is_discarded()) explain();
    detail::in_place([this] { return fmt::format("{}:{}", file_name(), list_->line()); },
                     [&] { fields_.take(record_, values); });
    return true;
  }
  std::size_t line() const override { return 0; }  // the row says where

  [[noreturn]] void explain() const {
    read_document(path_, fields_.fields(), "", encoding_);
    throw ParseError(fmt::format("{}: the list of records cannot be read", file_name()));
  }

  std::filesystem::path path_;
  std::string encoding_;
  detail::JsonFields fields_;
  std::optional<detail::JsonList> list_;
  std::string text_;
  json record_;
};

std::shared_ptr<const Records::Content> content_of(const std::filesystem::path& path, const Fields& fields,
                                                   const std::string& records, const std::string& encoding) {
  if (!records.empty()) return read_document(path, fields, records, encoding);
  return detail::read_all(*detail::read_json(path, fields, encoding));
}

}  // namespace

std::shared_ptr<detail::RecordReader> detail::read_json(const std::filesystem::path& path, const Fields& fields,
                                                        const std::string& encoding) {
  return std::make_shared<JsonReader>(path, fields, encoding);
}

JsonFile::JsonFile(const std::filesystem::path& path, const Fields& fields, const std::string& records,
                   const std::string& encoding)
    : Records(content_of(path, fields, records, encoding)) {}

}  // namespace tgd::data
