#include <tgd/data/stream.hpp>

#include "data/record_content.hpp"
#include "data/record_reader.hpp"

namespace tgd::data {

RecordStream::RecordStream(Open open, const Fields& fields) : open_(std::move(open)) {
  const std::shared_ptr<detail::RecordReader> reader = open_(fields);
  std::vector<Data> values;
  reader->next(values);
  fields_ = reader->fields();
  names_ = std::make_shared<const std::vector<std::string>>(detail::names_of(fields_));
}

namespace detail {

std::shared_ptr<const Records::Content> read_all(RecordReader& reader) {
  Records::Content content;
  std::vector<Data> values;
  while (reader.next(values)) content.records.push_back(make_record(reader.fields(), values, reader.origin()));
  content.names = names_of(reader.fields());
  return std::make_shared<const Records::Content>(std::move(content));
}

bool read_next(RecordReader& reader, std::vector<Data>& values) { return reader.next(values); }

SampleOrigin origin_of(const RecordReader& reader) { return reader.origin(); }

void RecordReading::operator()(std::vector<Data>& values, const SampleOrigin& origin, std::optional<Record>& record) const {
  if (!record) record.emplace();
  record->origin = origin;
  for (std::size_t i = 0; i < names->size(); ++i) (*record)[(*names)[i]] = std::move(values[i]);
}

}  // namespace detail

}  // namespace tgd::data
