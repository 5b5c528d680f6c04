#include "task/data.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <tgd/data/collate.hpp>
#include <tgd/data/dataset.hpp>

#include "core/counted.hpp"
#include "core/fold.hpp"
#include "core/text.hpp"
#include "data/record_reader.hpp"
#include "task/data_file.hpp"

namespace tgd::cli {

namespace {

constexpr const char* group_name = "/group";

DataFileOptions file_options_of(const DataSpec& spec) { return {.encoding = spec.encoding, .columns = spec.columns}; }

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

// ---- Reading ---------------------------------------------------------------------------------------------------------------

/// `take(record)` gets one record after the other.
using TakeRecord = std::function<void(data::Record&&)>;

void read_each(const DataSpec& spec, const std::filesystem::path& file, const data::Fields& fields, const TakeRecord& take) {
  const auto reader = open_data_file(file, fields, file_options_of(spec));
  std::vector<Data> values;
  while (reader->next(values)) {
    data::Record record;
    record.origin = reader->origin();
    for (std::size_t i = 0; i < values.size(); ++i) record.emplace(fields[i].name, std::move(values[i]));
    take(std::move(record));
  }
}

void read_strictly(const DataSpec& spec, const std::filesystem::path& file, data::Field field) {
  field.is_lenient = false;
  try {
    read_each(spec, file, {field}, [](const data::Record&) {});
  } catch (const Error& error) {
    place_of_field(spec, field.name).fail(error.what());
  }
}

/// Reads each field alone to find the one that is at fault, and complains where the task names it. `key`: under which the task names
/// the file.
[[noreturn]] void fail_at_field(const DataSpec& spec, const std::filesystem::path& file, const char* key,
                                const data::Fields& fields, const std::string& message) {
  for (const data::Field& field : fields) {
    try {
      read_each(spec, file, {field}, [](const data::Record&) {});
    } catch (const Error& error) {
      place_of_field(spec, field.name).fail(error.what());
    }
  }
  spec.place.at(key, "").fail(message);
}

bool is_blank(const std::string& text) { return detail::trim(detail::plain_form(text)).empty(); }

std::size_t hash_of(const std::string& text) { return std::hash<std::string>()(text); }

/// What the split has to know of a record. Texts of large files would be in memory twice; 64 bits of them are enough.
struct RowFacts {
  std::size_t row;     ///< in its file, from 0
  std::size_t line;    ///< 0: not known
  std::size_t inputs;  ///< of all of them as they are compared
  std::size_t target;  ///< the same of the answer
  std::optional<std::size_t> group;
};

/// What a first walk over a file finds out.
struct FileFacts {
  std::filesystem::path file;
  std::vector<RowFacts> rows = {};                            ///< those that a run can use
  std::vector<std::string> notes = {};                        ///< what became of the others
  std::unordered_map<std::size_t, std::string> targets = {};  ///< by their hash, cut where they are long
};

std::string place_of_row(std::size_t row, std::size_t line) {
  return line > 0 ? fmt::format("line {}", line) : fmt::format("row {}", row + 1);
}

/// What a sample's own file says of it: "line 3" or "row 3".
std::string place_in_file(const RowFacts& row) { return place_of_row(row.row, row.line); }

using detail::counted;

class Facts {
 public:
  Facts(const DataSpec& spec, const std::filesystem::path& file) : spec_(spec), found_{.file = file} {
    for (const data::Field& field : fields_of(spec)) blank_.emplace(field.name, true);
  }

  void add(const data::Record& record) {
    for (auto& [name, is_blank_so_far] : blank_) is_blank_so_far = is_blank_so_far && is_blank(record.at(name).item_text());
    const std::string target =
        spec_.has_target() ? std::string(detail::trim(detail::plain_form(record.at(target_name).item_text()))) : std::string();
    std::string inputs;
    bool has_input = false;
    for (const auto& input : spec_.inputs) {
      const std::string text = detail::plain_form(record.at(input.first).item_text());
      has_input = has_input || !detail::trim(text).empty();
      inputs += text + '\0';
    }
    const bool has_answer = !spec_.has_target() || !target.empty();
    const std::size_t row = count_++;
    if (!has_answer || !has_input) {
      const char* reason = has_answer ? "nothing to read" : has_input ? "no answer" : "nothing at all (blank)";
      ++left_out_.try_emplace(reason, 0, place_of_row(row, record.origin.line)).first->second.first;
      return;
    }
    constexpr std::size_t most_kept = 80;
    const std::size_t hash = hash_of(target);
    if (targets_may_be_labels_) found_.targets.try_emplace(hash, detail::excerpt(target, most_kept));
    constexpr std::size_t most_labels = 1000;
    if (found_.targets.size() > most_labels) targets_may_be_labels_ = false;
    found_.rows.push_back({row, record.origin.line, hash_of(inputs), hash, {}});
    if (spec_.group_by.empty() || is_blank(record.at(group_name).item_text())) return;
    found_.rows.back().group = hash_of(record.at(group_name).item_text());
  }

  FileFacts take() {
    std::vector<std::string> reasons;
    std::size_t count = 0;
    for (const auto& [reason, left_out] : left_out_) {
      reasons.push_back(fmt::format("{} with {}, from {} on", left_out.first, reason, left_out.second));
      count += left_out.first;
    }
    if (count > 0)
      found_.notes.push_back(fmt::format("{} of {} are left out: {}", counted(count, "row", "rows"),
                                         found_.file.filename().string(), detail::join(reasons, "; ")));
    return std::move(found_);
  }

  /// Fields without a text in any record. A field that no record has is none: what it is called is a mistake.
  std::vector<std::string> blank_fields() const {
    std::vector<std::string> names;
    for (const auto& [name, is_blank_everywhere] : blank_) {
      if (is_blank_everywhere && count_ > 0) names.push_back(name);
    }
    return names;
  }

 private:
  const DataSpec& spec_;
  FileFacts found_;
  std::map<std::string, std::pair<std::size_t, std::string>> left_out_;  // by reason: how many, and where the first of them is
  std::map<std::string, bool> blank_;
  std::size_t count_ = 0;
  bool targets_may_be_labels_ = true;
};

FileFacts facts_of(const DataSpec& spec, const std::filesystem::path& file, const char* key) {
  const data::Fields fields = fields_of(spec);
  Facts facts(spec, file);
  try {
    read_each(spec, file, fields, [&](const data::Record& record) { facts.add(record); });
  } catch (const TaskError&) {
    throw;
  } catch (const Error& error) {
    fail_at_field(spec, file, key, fields, error.what());
  }
  const std::vector<std::string> blank = facts.blank_fields();
  for (const data::Field& field : fields) {
    if (std::find(blank.begin(), blank.end(), field.name) != blank.end()) read_strictly(spec, file, field);
  }
  return facts.take();
}

/// The records with these numbers, in this order.
DataPart records_at(const DataSpec& spec, const std::filesystem::path& file, const std::vector<std::size_t>& rows) {
  std::unordered_map<std::size_t, std::size_t> place_of_row_number;
  for (std::size_t i = 0; i < rows.size(); ++i) place_of_row_number.emplace(rows[i], i);
  std::vector<data::Record> records(rows.size());
  std::size_t row = 0;
  read_each(spec, file, fields_of(spec), [&](data::Record&& record) {
    const auto found = place_of_row_number.find(row++);
    if (found == place_of_row_number.end()) return;
    record.erase(group_name);
    records[found->second] = std::move(record);
  });
  return {std::move(records), rows};
}

/// Which samples are to stay together: numbers that count up from 0, in the order of the rows.
std::vector<std::size_t> groups_of(const std::vector<RowFacts>& rows) {
  std::vector<std::size_t> parent(rows.size());
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  const auto root = [&](std::size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  std::unordered_map<std::size_t, std::size_t> first_of_text;
  std::unordered_map<std::size_t, std::size_t> first_of_group;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto join = [&](std::unordered_map<std::size_t, std::size_t>& firsts, std::size_t key) {
      const std::size_t first = firsts.try_emplace(key, i).first->second;
      const std::size_t one = root(first);
      const std::size_t other = root(i);
      parent[std::max(one, other)] = std::min(one, other);
    };
    join(first_of_text, rows[i].inputs);
    if (rows[i].group) join(first_of_group, *rows[i].group);
  }
  std::unordered_map<std::size_t, std::size_t> numbers;
  std::vector<std::size_t> groups;
  for (std::size_t i = 0; i < rows.size(); ++i) groups.push_back(numbers.try_emplace(root(i), numbers.size()).first->second);
  return groups;
}

// ---- What is odd about them ------------------------------------------------------------------------------------------------

/// "\"praise\" in line 3", or the line alone where answers are many.
std::string answer_in(const FileFacts& facts, const RowFacts& row) {
  const auto found = facts.targets.find(row.target);
  return (found == facts.targets.end() ? "one" : fmt::format("\"{}\"", found->second)) + " in " + place_in_file(row);
}

/// Samples with the same inputs, and whether their answers differ.
void note_repeated(const DataSpec& spec, FileFacts& facts) {
  std::unordered_map<std::size_t, const RowFacts*> first_of_text;
  std::size_t repeated = 0;
  std::size_t contradicting = 0;
  std::string example;
  for (const RowFacts& row : facts.rows) {
    const auto [found, is_new] = first_of_text.try_emplace(row.inputs, &row);
    if (is_new) continue;
    ++repeated;
    if (!spec.has_target() || found->second->target == row.target) continue;
    if (contradicting++ == 0) example = answer_in(facts, *found->second) + ", " + answer_in(facts, row);
  }
  if (repeated > 0)
    facts.notes.push_back(
        fmt::format("{} the inputs of an earlier one (duplicates)", counted(repeated, "sample repeats", "samples repeat")));
  if (contradicting > 0)
    facts.notes.push_back(
        fmt::format("{} another answer than an earlier one with the same inputs ({}): no prompt gets both right",
                    counted(contradicting, "sample has", "samples have"), example));
}

/// Answers that differ in case, width or blanks only are one label to people.
void note_spellings(FileFacts& facts) {
  constexpr std::size_t most_labels = 200;
  if (facts.targets.size() > most_labels) return;  // no labels, but texts
  std::map<std::string, std::set<std::string>> spellings;
  for (const auto& target : facts.targets) {
    std::string key;
    for (const char c : detail::caseless_form(target.second)) {
      if (c != ' ' && c != '\n' && c != '\t') key += c;
    }
    spellings[key].insert(target.second);
  }
  std::vector<std::string> odd;
  for (const auto& [key, forms] : spellings) {
    if (forms.size() > 1) odd.push_back(quoted_list({forms.begin(), forms.end()}));
  }
  if (odd.empty()) return;
  const std::size_t count = odd.size();
  odd.resize(std::min<std::size_t>(count, 3));
  facts.notes.push_back(fmt::format(
      "{} in case or blanks only: {}; to an exact match they are different answers, so make them one",
      counted(count, "answer has spellings that differ", "answers have spellings that differ"), detail::join(odd, "; ")));
}

void note_oddities(const DataSpec& spec, FileFacts& facts) {
  note_repeated(spec, facts);
  if (spec.has_target()) note_spellings(facts);
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

data::detail::Parts split_rows(const DataSpec& spec, FileFacts& facts) {
  const std::vector<RowFacts>& rows = facts.rows;
  const std::array shares{spec.train, spec.validation, spec.test};
  const std::vector<std::size_t> sizes = data::detail::part_sizes(rows.size(), shares);
  std::vector<std::string> labels;
  if (spec.stratify && spec.has_target()) {
    for (const RowFacts& row : rows) labels.push_back(std::to_string(row.target));
  }
  const std::vector<std::size_t> groups = groups_of(rows);
  const std::size_t different = *std::max_element(groups.begin(), groups.end()) + 1;
  data::detail::Parts parts;
  if (different < rows.size()) parts = data::detail::grouped_indices(groups, labels, sizes, spec.seed);
  const bool is_possible = std::none_of(parts.begin(), parts.end(), [](const auto& part) { return part.empty(); });
  if (!is_possible)
    facts.notes.push_back(
        fmt::format("equal samples stand in several parts, for there are only {} different ones: what is measured "
                    "may have been learned by heart",
                    different));
  if (parts.empty() || !is_possible)
    parts = labels.empty() ? data::detail::split_indices(sizes, spec.seed)
                           : data::detail::stratified_indices(labels, sizes, spec.seed);
  for (auto& part : parts) {
    for (std::size_t& index : part) index = rows[index].row;
  }
  return parts;
}

TaskData split_file(const DataSpec& spec) {
  FileFacts facts = facts_of(spec, spec.file, "file");
  if (facts.rows.size() < 3)
    spec.place.at("file", "")
        .fail(fmt::format("{} holds {} samples{}; there have to be some for each part", spec.file.string(), facts.rows.size(),
                          facts.notes.empty() ? "" : " that can be used (" + facts.notes[0] + ")"));
  note_oddities(spec, facts);
  data::detail::Parts parts = split_rows(spec, facts);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].empty()) continue;
    spec.place.at("split", "")
        .at(part_names[i], "")
        .fail(fmt::format("no sample out of {} is left for this part; give it a larger share", facts.rows.size()));
  }
  limit_parts(spec, parts, facts.notes);
  // One walk for all parts.
  std::vector<std::size_t> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  const DataPart samples = records_at(spec, spec.file, all);
  const std::size_t first_test = parts[0].size() + parts[1].size();
  return {samples.piece(0, parts[0].size()), samples.piece(parts[0].size(), first_test), samples.piece(first_test, all.size()),
          std::move(facts.notes)};
}

/// A test that repeats what was learned from measures nothing.
void note_shared(const std::vector<FileFacts>& files, std::vector<std::string>& notes) {
  std::set<std::size_t> learned;
  for (const RowFacts& row : files[0].rows) learned.insert(row.inputs);
  for (std::size_t i = 1; i < files.size(); ++i) {
    const auto shared = std::count_if(files[i].rows.begin(), files[i].rows.end(),
                                      [&](const RowFacts& row) { return learned.count(row.inputs) > 0; });
    if (shared > 0)
      notes.push_back(
          fmt::format("{} of the {} {} samples stand in the training part, too (duplicates), so that they measure "
                      "what was learned by heart",
                      shared, files[i].rows.size(), part_names[i]));
  }
}

TaskData file_for_each_part(const DataSpec& spec) {
  std::vector<FileFacts> files;
  data::detail::Parts parts(part_names.size());
  std::vector<std::string> notes;
  const std::array paths{&spec.train_file, &spec.validation_file, &spec.test_file};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    files.push_back(facts_of(spec, *paths[i], part_names[i]));
    FileFacts& facts = files.back();
    if (facts.rows.empty()) spec.place.at(part_names[i], "").fail(fmt::format("{} holds no samples", paths[i]->string()));
    if (i == 0) note_oddities(spec, facts);
    notes.insert(notes.end(), facts.notes.begin(), facts.notes.end());
    for (const RowFacts& row : facts.rows) parts[i].push_back(row.row);
  }
  note_shared(files, notes);
  limit_parts(spec, parts, notes);
  return {records_at(spec, *paths[0], parts[0]), records_at(spec, *paths[1], parts[1]), records_at(spec, *paths[2], parts[2]),
          std::move(notes)};
}

}  // namespace

DataPart::DataPart(std::vector<data::Record> records, std::vector<std::size_t> rows)
    : records_(std::make_shared<const std::vector<data::Record>>(std::move(records))), rows_(std::move(rows)) {}

data::Record DataPart::operator[](std::size_t i) const {
  data::Record record = (*records_)[first_ + i];
  record.emplace(row_name, static_cast<std::int64_t>(rows_.at(i)));
  return record;
}

DataPart DataPart::piece(std::size_t begin, std::size_t end) const {
  DataPart part = *this;
  part.first_ = first_ + begin;
  part.rows_.assign(rows_.begin() + static_cast<std::ptrdiff_t>(begin), rows_.begin() + static_cast<std::ptrdiff_t>(end));
  return part;
}

Batch batch_of(const DataPart& part) {
  std::vector<data::Record> samples;
  for (std::size_t i = 0; i < part.size(); ++i) samples.push_back(part[i]);
  return data::collate(samples);
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
