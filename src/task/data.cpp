#include "task/data.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <tgd/data/dataset.hpp>

#include "task/data_file.hpp"
#include "core/fold.hpp"
#include "core/text.hpp"

namespace tgd::cli {

namespace {

constexpr const char* group_name = "/group";

DataFileOptions options_of(const DataSpec& spec) { return {.encoding = spec.encoding, .columns = spec.columns}; }

TaskValue place_of_field(const DataSpec& spec, const std::string& name) {
  if (name == target_name) return spec.place.at("target", "");
  return name == group_name ? spec.place.at("group_by", "") : spec.place.at("inputs", "").at(name, "");
}

data::Fields fields_of(const DataSpec& spec) {
  data::Fields fields;
  for (const auto& [name, source] : spec.inputs) fields.emplace_back(name, source);
  if (spec.has_target()) fields.emplace_back(target_name, spec.target);
  if (!spec.group_by.empty()) fields.emplace_back(group_name, spec.group_by);
  for (data::Field& field : fields) field.is_lenient = true;
  return fields;
}

/// Reads each field alone to find the one that is at fault, and complains where the task names it.
[[noreturn]] void fail_at_field(const DataSpec& spec, const std::filesystem::path& file, const char* key,
                                const data::Fields& fields, const std::string& message) {
  for (const data::Field& field : fields) {
    try {
      read_data_file(file, {field}, options_of(spec));
    } catch (const Error& error) {
      place_of_field(spec, field.name).fail(error.what());
    }
  }
  spec.place.at(key, "").fail(message);
}

bool is_blank(const data::Record& record, const std::string& name) {
  return detail::trim(detail::plain_form(record.at(name).item_text())).empty();
}

/// A field that no record has is none: what it is called is a mistake.
void expect_fields(const DataSpec& spec, const std::filesystem::path& file, const data::Records& records,
                   const data::Fields& fields) {
  for (data::Field field : fields) {
    bool is_anywhere = records.size() == 0;
    for (std::size_t i = 0; i < records.size() && !is_anywhere; ++i) is_anywhere = !is_blank(records[i], field.name);
    if (is_anywhere) continue;
    field.is_lenient = false;
    try {
      read_data_file(file, {field}, options_of(spec));
    } catch (const Error& error) {
      place_of_field(spec, field.name).fail(error.what());
    }
  }
}

/// `key`: under which the task names the file.
data::Records read_records(const DataSpec& spec, const std::filesystem::path& file, const char* key) {
  const data::Fields fields = fields_of(spec);
  try {
    data::Records records = read_data_file(file, fields, options_of(spec));
    expect_fields(spec, file, records, fields);
    return records;
  } catch (const TaskError&) {
    throw;
  } catch (const Error& error) {
    fail_at_field(spec, file, key, fields, error.what());
  }
}

// ---- Which samples ---------------------------------------------------------------------------------------------------------

/// "row 3 (line 4)"
std::string place_in_file(const data::Records& records, std::size_t row) {
  const SampleOrigin& origin = records[row].origin;
  return origin.line > 0 ? fmt::format("line {}", origin.line) : fmt::format("row {}", row + 1);
}

std::string counted(std::size_t count, const char* one, const char* several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

/// The rows that a run can use, and what became of the others.
struct UsableRows {
  std::vector<std::size_t> rows = {};
  std::vector<std::string> notes = {};
};

UsableRows usable_rows(const DataSpec& spec, const std::filesystem::path& file, const data::Records& records) {
  UsableRows usable;
  std::map<std::string, std::pair<std::size_t, std::size_t>> left_out;  // by reason: how many, and the first of them
  for (std::size_t row = 0; row < records.size(); ++row) {
    const bool has_answer = !spec.has_target() || !is_blank(records[row], target_name);
    const bool has_input = std::any_of(spec.inputs.begin(), spec.inputs.end(),
                                       [&](const auto& input) { return !is_blank(records[row], input.first); });
    if (has_answer && has_input) {
      usable.rows.push_back(row);
      continue;
    }
    const char* reason = has_answer ? "nothing to read" : has_input ? "no answer" : "nothing at all (blank)";
    ++left_out.try_emplace(reason, 0, row).first->second.first;
  }
  if (left_out.empty()) return usable;
  std::vector<std::string> reasons;
  for (const auto& [reason, found] : left_out)
    reasons.push_back(fmt::format("{} with {}, from {} on", found.first, reason, place_in_file(records, found.second)));
  usable.notes.push_back(fmt::format("{} of {} are left out: {}", counted(records.size() - usable.rows.size(), "row", "rows"),
                                     file.filename().string(), detail::join(reasons, "; ")));
  return usable;
}

/// All inputs of a sample as they are compared, in 64 bits: of large files the texts would be in memory twice.
std::size_t inputs_hash(const DataSpec& spec, const data::Record& record) {
  std::string text;
  for (const auto& input : spec.inputs) text += detail::plain_form(record.at(input.first).item_text()) + '\0';
  return std::hash<std::string>()(text);
}

/// Which samples are to stay together: numbers that count up from 0, in the order of the rows.
std::vector<std::size_t> groups_of(const DataSpec& spec, const data::Records& records, const std::vector<std::size_t>& rows) {
  std::vector<std::size_t> parent(rows.size());
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  const auto root = [&](std::size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  std::map<std::size_t, std::size_t> first_of_text;
  std::map<std::size_t, std::size_t> first_of_group;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const data::Record& record = records[rows[i]];
    const auto join = [&](std::map<std::size_t, std::size_t>& firsts, std::size_t key) {
      const std::size_t first = firsts.try_emplace(key, i).first->second;
      const auto [low, high] = std::minmax(root(first), root(i));
      parent[high] = low;
    };
    join(first_of_text, inputs_hash(spec, record));
    if (!spec.group_by.empty() && !is_blank(record, group_name))
      join(first_of_group, std::hash<std::string>()(record.at(group_name).item_text()));
  }
  std::map<std::size_t, std::size_t> numbers;
  std::vector<std::size_t> groups;
  for (std::size_t i = 0; i < rows.size(); ++i) groups.push_back(numbers.try_emplace(root(i), numbers.size()).first->second);
  return groups;
}

// ---- What is odd about them ------------------------------------------------------------------------------------------------

/// Samples with the same inputs, and whether their answers differ.
void note_repeated(const DataSpec& spec, const data::Records& records, const std::vector<std::size_t>& rows,
                   std::vector<std::string>& notes) {
  std::map<std::size_t, std::size_t> first_of_text;
  std::size_t repeated = 0;
  std::size_t contradicting = 0;
  std::string example;
  for (const std::size_t row : rows) {
    const auto [found, is_new] = first_of_text.try_emplace(inputs_hash(spec, records[row]), row);
    if (is_new) continue;
    ++repeated;
    if (!spec.has_target()) continue;
    const std::string before = records[found->second].at(target_name).item_text();
    const std::string now = records[row].at(target_name).item_text();
    if (detail::plain_form(before) == detail::plain_form(now)) continue;
    if (contradicting++ == 0)
      example = fmt::format("\"{}\" in {}, \"{}\" in {}", detail::excerpt(before, 40), place_in_file(records, found->second),
                            detail::excerpt(now, 40), place_in_file(records, row));
  }
  if (repeated > 0)
    notes.push_back(fmt::format("{} the inputs of an earlier one (duplicates); equal ones stay in one part",
                                counted(repeated, "sample repeats", "samples repeat")));
  if (contradicting > 0)
    notes.push_back(fmt::format("{} another answer than an earlier one with the same inputs ({}): no prompt gets both right",
                                counted(contradicting, "sample has", "samples have"), example));
}

/// Answers that differ in case, width or blanks only are one label to people.
void note_spellings(const data::Records& records, const std::vector<std::size_t>& rows, std::vector<std::string>& notes) {
  constexpr std::size_t most_labels = 200;
  std::map<std::string, std::set<std::string>> spellings;
  for (const std::size_t row : rows) {
    const std::string text(detail::trim(detail::plain_form(records[row].at(target_name).item_text())));
    std::string key;
    for (const char c : detail::caseless_form(text)) {
      if (c != ' ' && c != '\n' && c != '\t') key += c;
    }
    spellings[key].insert(text);
    if (spellings.size() > most_labels) return;  // no labels, but texts
  }
  std::vector<std::string> odd;
  for (const auto& [key, forms] : spellings) {
    if (forms.size() > 1) odd.push_back(quoted_list({forms.begin(), forms.end()}));
  }
  if (odd.empty()) return;
  const std::size_t count = odd.size();
  odd.resize(std::min<std::size_t>(count, 3));
  notes.push_back(fmt::format("{} in case or blanks only: {}; to an exact match they are different answers, so make them one",
                              counted(count, "answer has spellings that differ", "answers have spellings that differ"),
                              detail::join(odd, "; ")));
}

void note_oddities(const DataSpec& spec, const data::Records& records, const std::vector<std::size_t>& rows,
                   std::vector<std::string>& notes) {
  note_repeated(spec, records, rows, notes);
  if (spec.has_target()) note_spellings(records, rows, notes);
}

// ---- Parts -----------------------------------------------------------------------------------------------------------------

constexpr std::array part_names{"train", "validation", "test"};

/// The first ones, which are dealt out at random: a limit takes a sample of the part.
void limit_parts(const DataSpec& spec, data::detail::Parts& parts, std::vector<std::string>& notes) {
  const std::array limits{spec.train_limit, spec.validation_limit, spec.test_limit};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_test = i == 2;
    const std::size_t all = parts[i].size();
    const std::size_t limit = limits[i].value_or(is_test ? most_tested : all);
    if (all <= limit) continue;
    parts[i].resize(limit);
    notes.push_back(fmt::format("the {} part is limited to {} of its {} samples{}", part_names[i], limit, all,
                                limits[i] ? "" : "; \"limit\" in \"data\" sets another number"));
  }
}

data::detail::Parts split_rows(const DataSpec& spec, const data::Records& records, const std::vector<std::size_t>& rows) {
  const std::array shares{spec.train, spec.validation, spec.test};
  const std::vector<std::size_t> sizes = data::detail::part_sizes(rows.size(), shares);
  std::vector<std::string> labels;
  if (spec.stratify && spec.has_target()) {
    for (const std::size_t row : rows) labels.push_back(records[row].at(target_name).item_text());
  }
  const std::vector<std::size_t> groups = groups_of(spec, records, rows);
  const bool is_each_alone = groups.back() + 1 == rows.size();
  data::detail::Parts parts = !is_each_alone   ? data::detail::grouped_indices(groups, labels, sizes, spec.seed)
                              : labels.empty() ? data::detail::split_indices(sizes, spec.seed)
                                               : data::detail::stratified_indices(labels, sizes, spec.seed);
  for (auto& part : parts) {
    for (std::size_t& index : part) index = rows[index];
  }
  return parts;
}

TaskData split_file(const DataSpec& spec) {
  const data::Records records = read_records(spec, spec.file, "file");
  UsableRows usable = usable_rows(spec, spec.file, records);
  if (usable.rows.size() < 3)
    spec.place.at("file", "")
        .fail(fmt::format("{} holds {} samples{}; there have to be some for each part", spec.file.string(), usable.rows.size(),
                          usable.notes.empty() ? "" : " that can be used (" + usable.notes[0] + ")"));
  note_oddities(spec, records, usable.rows, usable.notes);
  data::detail::Parts parts = split_rows(spec, records, usable.rows);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].empty()) continue;
    spec.place.at("split", "")
        .at(part_names[i], "")
        .fail(fmt::format("no sample out of {} is left for this part; give it a larger share", usable.rows.size()));
  }
  limit_parts(spec, parts, usable.notes);
  return {{records, parts[0]}, {records, parts[1]}, {records, parts[2]}, std::move(usable.notes)};
}

/// A test that repeats what was learned from measures nothing.
void note_shared(const DataSpec& spec, const std::vector<data::Records>& files, const data::detail::Parts& parts,
                 std::vector<std::string>& notes) {
  std::set<std::size_t> learned;
  for (const std::size_t row : parts[0]) learned.insert(inputs_hash(spec, files[0][row]));
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto shared = std::count_if(parts[i].begin(), parts[i].end(),
                                      [&](std::size_t row) { return learned.count(inputs_hash(spec, files[i][row])) > 0; });
    if (shared > 0)
      notes.push_back(
          fmt::format("{} of the {} {} samples stand in the training part, too (duplicates), so that they measure "
                      "what was learned by heart",
                      shared, parts[i].size(), part_names[i]));
  }
}

TaskData file_for_each_part(const DataSpec& spec) {
  std::vector<data::Records> files;
  data::detail::Parts parts;
  std::vector<std::string> notes;
  const std::array paths{&spec.train_file, &spec.validation_file, &spec.test_file};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    files.push_back(read_records(spec, *paths[i], part_names[i]));
    UsableRows usable = usable_rows(spec, *paths[i], files[i]);
    if (usable.rows.empty()) spec.place.at(part_names[i], "").fail(fmt::format("{} holds no samples", paths[i]->string()));
    notes.insert(notes.end(), usable.notes.begin(), usable.notes.end());
    if (i == 0) note_oddities(spec, files[i], usable.rows, notes);
    parts.push_back(std::move(usable.rows));
  }
  note_shared(spec, files, parts, notes);
  limit_parts(spec, parts, notes);
  return {{files[0], parts[0]}, {files[1], parts[1]}, {files[2], parts[2]}, std::move(notes)};
}

}  // namespace

data::Record DataPart::operator[](std::size_t i) const {
  const std::size_t row = rows_.at(i);
  data::Record record = records_[row];
  record.erase(group_name);
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

TaskData load_data(const DataSpec& spec) { return spec.file.empty() ? file_for_each_part(spec) : split_file(spec); }

}  // namespace tgd::cli
