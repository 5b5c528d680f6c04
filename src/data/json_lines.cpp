#include <nlohmann/json.hpp>

#include <tgd/data/records.hpp>
#include <tgd/data/stream.hpp>

#include "core/json_position.hpp"
#include "core/text.hpp"
#include "data/json_fields.hpp"
#include "data/record_content.hpp"
#include "data/record_reader.hpp"

namespace tgd::data {

namespace {

class JsonLinesReader final : public detail::RecordReader {
 public:
  JsonLinesReader(const std::filesystem::path& path, const Fields& fields)
      : RecordReader(path.string()), fields_(fields), file_(detail::open_file(path)) {}

  const Fields& fields() const override { return fields_.fields(); }

 private:
  bool read(std::vector<Data>& values) override {
    while (std::getline(file_, line_)) {
      ++number_;
      if (tgd::detail::trim(line_).empty()) continue;
      const nlohmann::json record = tgd::detail::parse_json(line_, file_name(), number_);
      detail::in_place([this] { return fmt::format("{}:{}", file_name(), number_); }, [&] { fields_.take(record, values); });
      return true;
    }
    if (file_.bad()) throw ValueError(fmt::format("cannot read \"{}\" behind line {}", file_name(), number_));
    return false;
  }
  std::size_t line() const override { return number_; }

  detail::JsonFields fields_;
  std::ifstream file_;
  std::string line_;
  std::size_t number_ = 0;
};

}  // namespace

std::shared_ptr<detail::RecordReader> detail::read_json_lines(const std::filesystem::path& path, const Fields& fields) {
  return std::make_shared<JsonLinesReader>(path, fields);
}

JsonLinesFile::JsonLinesFile(const std::filesystem::path& path, const Fields& fields)
    : Records(detail::read_all(*detail::read_json_lines(path, fields))) {}

JsonLinesStream::JsonLinesStream(const std::filesystem::path& path, const Fields& fields)
    : RecordStream([path](const Fields& taken) { return detail::read_json_lines(path, taken); }, fields) {}

}  // namespace tgd::data
