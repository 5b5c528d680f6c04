#include <utility>

#include <nlohmann/json.hpp>

#include <tgd/data/records.hpp>
#include <tgd/data/stream.hpp>

#include "core/json_position.hpp"
#include "core/text.hpp"
#include "core/text_file.hpp"
#include "data/json_fields.hpp"
#include "data/record_content.hpp"
#include "data/record_reader.hpp"

namespace tgd::data {

namespace {

class JsonLinesReader final : public detail::RecordReader {
 public:
  JsonLinesReader(const std::filesystem::path& path, const Fields& fields, const std::string& encoding)
      : RecordReader(path.string()), fields_(fields), file_(tgd::detail::open_text(path, encoding)) {}

  const Fields& fields() const override { return fields_.fields(); }
  const nlohmann::ordered_json* record() const override { return &record_; }

 private:
  bool read(std::vector<Data>& values) override {
    while (std::getline(*file_, line_)) {
      ++number_;
      if (tgd::detail::trim(line_).empty()) continue;
      record_ = parsed();
      detail::in_place([this] { return fmt::format("{}:{}", file_name(), number_); }, [&] { fields_.take(record_, values); });
      return true;
    }
    if (file_->bad()) throw ValueError(fmt::format("cannot read \"{}\" behind line {}", file_name(), number_));
    return false;
  }
  std::size_t line() const override { return number_; }

  nlohmann::ordered_json parsed() {
    constexpr const char* hint = "JSON Lines have one record on each line; a file that is one JSON list is called .json";
    const bool is_first = std::exchange(is_first_, false);
    nlohmann::ordered_json record;
    try {
      record = tgd::detail::parse_json<nlohmann::ordered_json>(line_, file_name(), number_);
    } catch (const ParseError& error) {
      const std::string_view text = tgd::detail::trim(line_);
      if (!is_first || (text != "{" && !text.starts_with('['))) throw;
      throw ParseError(fmt::format("{}. {}", error.what(), hint));
    }
    // A record may be a list, whose fields are named by place; a list of records is a file of another kind.
    const bool is_list_of_records = is_first && record.is_array() && !record.empty() && record[0].is_object();
    if (is_list_of_records)
      throw ParseError(fmt::format("{}:{}: this line is a list of records. {}", file_name(), number_, hint));
    return record;
  }

  detail::JsonFields fields_;
  std::unique_ptr<std::istream> file_;
  std::string line_;
  nlohmann::ordered_json record_;
  std::size_t number_ = 0;
  bool is_first_ = true;
};

}  // namespace

std::shared_ptr<detail::RecordReader> detail::read_json_lines(const std::filesystem::path& path, const Fields& fields,
                                                              const std::string& encoding) {
  return std::make_shared<JsonLinesReader>(path, fields, encoding);
}

JsonLinesFile::JsonLinesFile(const std::filesystem::path& path, const Fields& fields, const std::string& encoding)
    : Records(detail::read_all(*detail::read_json_lines(path, fields, encoding))) {}

JsonLinesStream::JsonLinesStream(const std::filesystem::path& path, const Fields& fields)
    : RecordStream([path](const Fields& taken) { return detail::read_json_lines(path, taken); }, fields) {}

}  // namespace tgd::data
