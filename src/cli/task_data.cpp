#include "cli/task_data.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace tgd::cli {

namespace {

data::Records read_records(const std::filesystem::path& file, const data::Fields& fields) {
  if (file.extension() == ".csv") return data::CsvFile(file, fields);
  if (file.extension() == ".json") return data::JsonFile(file, fields);
  return data::JsonLinesFile(file, fields);
}

/// Reads each field alone to find the one that is at fault, and complains where the task names it.
[[noreturn]] void fail_at_field(const DataSpec& spec, const data::Fields& fields, const std::string& message) {
  for (const data::Field& field : fields) {
    try {
      read_records(spec.file, {field});
    } catch (const Error& error) {
      const TaskValue place =
          field.name == target_name ? spec.place.at("target", "") : spec.place.at("inputs", "").at(field.name, "");
      place.fail(error.what());
    }
  }
  spec.place.at("file", "").fail(message);
}

data::Records read_records(const DataSpec& spec) {
  data::Fields fields;
  for (const auto& [name, source] : spec.inputs) fields.emplace_back(name, source);
  fields.emplace_back(target_name, spec.target);
  try {
    return read_records(spec.file, fields);
  } catch (const Error& error) {
    fail_at_field(spec, fields, error.what());
  }
}

std::array<DataPart, 3> split(const DataSpec& spec, const data::Records& records) {
  if (!spec.stratify) return data::split(records, {spec.train, spec.validation, spec.test}, spec.seed);
  const auto label_of = [](const data::Record& record) { return record.at(target_name).item_text(); };
  return data::stratified_split(records, label_of, {spec.train, spec.validation, spec.test}, spec.seed);
}

}  // namespace

TaskData load_data(const DataSpec& spec) {
  const data::Records records = read_records(spec);
  if (records.size() < 3)
    spec.place.at("file", "")
        .fail(fmt::format("{} holds {} samples; there have to be some for each part", spec.file.string(), records.size()));
  auto [train, validation, test] = split(spec, records);
  for (const auto& [name, part] : {std::pair{"train", &train}, {"validation", &validation}, {"test", &test}}) {
    if (part->size() == 0) {
      spec.place.at("split", "")
          .at(name, "")
          .fail(fmt::format("no sample out of {} is left for this part; give it a larger share", records.size()));
    }
  }
  return {std::move(train), std::move(validation), std::move(test)};
}

}  // namespace tgd::cli
