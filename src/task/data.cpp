#include "task/data.hpp"

#include <array>
#include <cstdint>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <tgd/data/dataset.hpp>

#include "task/data_file.hpp"

namespace tgd::cli {

namespace {

/// Reads each field alone to find the one that is at fault, and complains where the task names it.
[[noreturn]] void fail_at_field(const DataSpec& spec, const std::filesystem::path& file, const char* key,
                                const data::Fields& fields, const std::string& message) {
  for (const data::Field& field : fields) {
    try {
      read_data_file(file, {field});
    } catch (const Error& error) {
      const TaskValue place =
          field.name == target_name ? spec.place.at("target", "") : spec.place.at("inputs", "").at(field.name, "");
      place.fail(error.what());
    }
  }
  spec.place.at(key, "").fail(message);
}

data::Fields fields_of(const DataSpec& spec) {
  data::Fields fields;
  for (const auto& [name, source] : spec.inputs) fields.emplace_back(name, source);
  if (spec.has_target()) fields.emplace_back(target_name, spec.target);
  return fields;
}

/// `key`: under which the task names the file.
data::Records read_records(const DataSpec& spec, const std::filesystem::path& file, const char* key) {
  const data::Fields fields = fields_of(spec);
  try {
    return read_data_file(file, fields);
  } catch (const Error& error) {
    fail_at_field(spec, file, key, fields, error.what());
  }
}

std::vector<std::size_t> first_rows(std::size_t count) {
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return rows;
}

DataPart whole_file(const DataSpec& spec, const std::filesystem::path& file, const char* key) {
  const data::Records records = read_records(spec, file, key);
  if (records.size() == 0) spec.place.at(key, "").fail(fmt::format("{} holds no samples", file.string()));
  return {records, first_rows(records.size())};
}

std::array<data::Subset<data::Records>, 3> split(const DataSpec& spec, const data::Records& records) {
  if (!spec.stratify || !spec.has_target()) return data::split(records, {spec.train, spec.validation, spec.test}, spec.seed);
  const auto label_of = [](const data::Record& record) { return record.at(target_name).item_text(); };
  return data::stratified_split(records, label_of, {spec.train, spec.validation, spec.test}, spec.seed);
}

TaskData split_file(const DataSpec& spec) {
  const data::Records records = read_records(spec, spec.file, "file");
  if (records.size() < 3)
    spec.place.at("file", "")
        .fail(fmt::format("{} holds {} samples; there have to be some for each part", spec.file.string(), records.size()));
  const auto parts = split(spec, records);
  constexpr std::array names{"train", "validation", "test"};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].size() > 0) continue;
    spec.place.at("split", "")
        .at(names[i], "")
        .fail(fmt::format("no sample out of {} is left for this part; give it a larger share", records.size()));
  }
  return {{records, parts[0].indices()}, {records, parts[1].indices()}, {records, parts[2].indices()}};
}

}  // namespace

data::Record DataPart::operator[](std::size_t i) const {
  const std::size_t row = rows_.at(i);
  data::Record record = records_[row];
  record.emplace(row_name, static_cast<std::int64_t>(row));
  return record;
}

std::string place_of(const Batch& batch, std::size_t sample) {
  const auto origin = batch.at(row_name).origin(sample);
  return origin ? to_string(*origin) : fmt::format("row {}", batch.at(row_name).data().integers().at(sample));
}

const DataPart& TaskData::part(const std::string& name) const {
  if (name == "train") return train;
  return name == "validation" ? validation : test;
}

TaskData load_data(const DataSpec& spec) {
  if (!spec.file.empty()) return split_file(spec);
  return {whole_file(spec, spec.train_file, "train"), whole_file(spec, spec.validation_file, "validation"),
          whole_file(spec, spec.test_file, "test")};
}

}  // namespace tgd::cli
