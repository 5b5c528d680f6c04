#include "cli/init/survey.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <tgd/data/csv.hpp>

#include "cli/init/guess.hpp"
#include "core/characters.hpp"
#include "core/fold.hpp"
#include "core/json_position.hpp"
#include "core/number_text.hpp"
#include "core/text.hpp"
#include "core/text_file.hpp"
#include "core/utf8.hpp"
#include "data/json_list.hpp"
#include "data/record_reader.hpp"
#include "task/document.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_labels = 20;
constexpr std::size_t longest_label = 40;

// ---- One column ------------------------------------------------------------------------------------------------------------

bool is_text(std::string_view value) {
  while (!value.empty()) {
    const std::size_t length = std::max<std::size_t>(detail::character_length(value), 1);
    const char32_t code = detail::character_length(value) == 0 ? U'?' : detail::code_of(value.substr(0, length));
    if (detail::is_blank(code) || detail::is_unspaced(code)) return true;
    value.remove_prefix(length);
  }
  return false;
}

/// Working, then "#### 1,200", as GSM8K and what was made after it have it.
bool ends_in_result(std::string_view value) {
  constexpr std::string_view mark = "####";
  const std::size_t at = value.rfind(mark);
  return at != value.npos && at > 0 && detail::unit_of_amount(std::string(detail::trim(value.substr(at + mark.size()))));
}

class ColumnSurvey {
 public:
  explicit ColumnSurvey(std::string source, std::string role = {}) {
    column_.source = std::move(source);
    column_.role = std::move(role);
    column_.is_number = column_.is_object = column_.is_list = column_.has_digits = column_.ends_in_results = true;
  }

  void add(const OrderedJson& value) {
    if (value.is_null()) return;
    add(value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace),
        &value);
  }
  void add(const std::string& text) { add(text, nullptr); }

  Column take() {
    column_.distinct = seen_.size();
    if (column_.count == 0)
      column_.is_number = column_.is_object = column_.is_list = column_.has_digits = column_.ends_in_results = false;
    column_.mean_length = total_ / std::max<std::size_t>(column_.count, 1);
    const std::size_t kinds = column_.is_list ? labels_.size() : column_.distinct;
    const bool are_few = labels_.size() <= most_labels && kinds * 2 <= std::max<std::size_t>(items_, 4);
    if (are_few && longest_label_ <= longest_label && !column_.is_object) column_.labels.assign(labels_.begin(), labels_.end());
    return std::move(column_);
  }

 private:
  void add(const std::string& text, const OrderedJson* json) {
    const std::string plain(detail::trim(detail::plain_form(text)));
    if (plain.empty()) return;
    const std::size_t length = detail::count_characters(text);
    if (column_.count++ == 0) column_.example = text;
    total_ += length;
    column_.longest = std::max(column_.longest, length);
    column_.has_texts = column_.has_texts || is_text(plain);
    column_.has_digits = column_.has_digits && plain.find_first_of("0123456789") != std::string::npos;
    column_.ends_in_results = column_.ends_in_results && ends_in_result(plain);
    if (seen_.size() < most_distinct) seen_.insert(std::hash<std::string>()(plain));
    add_kind(plain, json);
    add_labels(plain);
  }

  /// Lists and objects by their JSON type; in CSV by their text.
  void add_kind(const std::string& plain, const OrderedJson* json) {
    list_.reset();
    const bool may_be_json = column_.is_object || column_.is_list;
    if (may_be_json) {
      OrderedJson parsed;
      if (json == nullptr || json->is_string()) parsed = OrderedJson::parse(plain, nullptr, false);
      const OrderedJson& value = json == nullptr || json->is_string() ? parsed : *json;
      column_.is_object = column_.is_object && value.is_object();
      column_.is_list = column_.is_list && value.is_array();
      if (column_.is_list) list_ = value;
    }
    if (!column_.is_number) return;
    if (json != nullptr && json->is_number()) {
      column_.is_number = !unit_ || unit_->empty();
      unit_ = "";
      return;
    }
    const auto unit = detail::unit_of_amount(plain);
    column_.is_number = unit && (!unit_ || *unit_ == *unit);
    if (unit) unit_ = unit;
  }

  void add_labels(const std::string& plain) {
    if (list_) {
      for (const OrderedJson& item : *list_) add_label(item.is_string() ? item.get<std::string>() : item.dump());
    } else {
      add_label(plain);
    }
  }
  void add_label(const std::string& label) {
    ++items_;
    longest_label_ = std::max(longest_label_, detail::count_characters(label));
    if (labels_.size() <= most_labels && longest_label_ <= longest_label) labels_.insert(label);
  }

  Column column_;
  std::size_t total_ = 0;
  std::unordered_set<std::size_t> seen_;
  std::optional<std::string> unit_;
  std::optional<OrderedJson> list_;
  std::set<std::string> labels_;
  std::size_t items_ = 0;
  std::size_t longest_label_ = 0;
};

// ---- All columns -----------------------------------------------------------------------------------------------------------

std::string escaped(std::string_view key) {
  std::string text;
  for (const char c : key) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return text;
}

/// The role of a message, and under which key its text stands.
std::pair<std::string, std::string> message_of(const OrderedJson& item) {
  for (const auto& [role, text] : {std::pair("role", "content"), std::pair("from", "value")}) {
    if (item.is_object() && item.contains(role) && item.at(role).is_string() && item.contains(text))
      return {item.at(role).get<std::string>(), text};
  }
  return {};
}

bool is_chat(const OrderedJson& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const OrderedJson& item) { return !message_of(item).first.empty(); });
}

class Surveyor {
 public:
  explicit Surveyor(std::function<void(std::size_t)> on_progress) : on_progress_(std::move(on_progress)) {}

  void add_record(const OrderedJson& record) {
    if (record.is_object()) add_members(record, "");
    count_row();
  }
  void add_row(const std::vector<std::string>& names, std::vector<Data>& values) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (ColumnSurvey* column = column_at(names[i])) column->add(values[i].text());
    }
    count_row();
  }

  void finish(Survey& survey) {
    survey.rows = rows_;
    survey.records_with_turns = records_with_turns_;
    for (ColumnSurvey& column : columns_) survey.columns.push_back(column.take());
  }

 private:
  ColumnSurvey* column_at(const std::string& source, const std::string& role = {}) {
    constexpr std::size_t most_columns = 500;  // keys that are values make a column of each
    const auto [found, is_new] = place_of_.try_emplace(source, columns_.size());
    if (is_new && columns_.size() < most_columns) columns_.emplace_back(source, role);
    return found->second < columns_.size() ? &columns_[found->second] : nullptr;
  }

  /// Every member of a record, at any depth, but no items of lists other than messages.
  void add_members(const OrderedJson& value, const std::string& pointer) {
    for (const auto& member : value.items()) {
      const std::string below = pointer + "/" + escaped(member.key());
      if (is_chat(member.value())) {
        add_messages(member.value(), below);
        continue;
      }
      const bool is_plain = pointer.empty() && !member.key().empty() && member.key().front() != '/';
      if (ColumnSurvey* column = column_at(is_plain ? member.key() : below)) column->add(member.value());
      if (member.value().is_object()) add_members(member.value(), below);
    }
  }

  void add_messages(const OrderedJson& messages, const std::string& pointer) {
    std::map<std::string, std::pair<std::string, const OrderedJson*>> last;
    std::size_t users = 0;
    for (const OrderedJson& message : messages) {
      const auto [role, key] = message_of(message);
      users += role == "user" || role == "human" ? 1 : 0;
      last[role] = {key, &message.at(key)};
    }
    records_with_turns_ += users > 1 ? 1 : 0;
    for (const auto& [role, text] : last) {
      if (ColumnSurvey* column = column_at(pointer + "/" + escaped(role) + "/" + text.first, role)) column->add(*text.second);
    }
  }

  void count_row() {
    constexpr std::size_t often = 20'000;
    if (++rows_ % often == 0 && on_progress_) on_progress_(rows_);
  }

  std::function<void(std::size_t)> on_progress_;
  std::size_t rows_ = 0;
  std::size_t records_with_turns_ = 0;
  std::vector<ColumnSurvey> columns_;
  std::map<std::string, std::size_t> place_of_;
};

// ---- Reading ---------------------------------------------------------------------------------------------------------------

/// Western Europe's encoding, where the bytes look like it: single letters beyond ASCII among many within. Empty otherwise.
std::string guessed_encoding(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::size_t letters = 0;
  std::size_t beyond = 0;
  for (std::istreambuf_iterator<char> byte(in), end; byte != end; ++byte) {
    const auto code = static_cast<unsigned char>(*byte);
    letters += (code | 0x20U) >= 'a' && (code | 0x20U) <= 'z' ? 1 : 0;
    beyond += code >= 0x80 ? 1 : 0;
    if (code == 0x81 || code == 0x8D || code == 0x8F || code == 0x90 || code == 0x9D) return {};
  }
  constexpr std::size_t share = 4;
  return beyond * share <= letters ? "WINDOWS-1252" : "";
}

void find_encoding(const fs::path& file, const std::string& wished, Survey& survey) {
  survey.options.encoding = wished;
  if (!wished.empty()) return;
  std::string first(4, '\0');
  std::ifstream(file, std::ios::binary).read(first.data(), static_cast<std::streamsize>(first.size()));
  const std::string marked = detail::marked_encoding(first).name;
  if (!marked.empty()) {
    survey.notes.push_back(fmt::format("the file is {}, and is read so", marked));
    return;
  }
  const auto line = detail::first_line_that_is_no_utf8(file);
  if (!line) return;
  survey.options.encoding = guessed_encoding(file);
  if (survey.options.encoding.empty())
    throw ParseError(
        fmt::format("{}:{}: this is not UTF-8 text; name its encoding with --encoding, such as SHIFT_JIS or "
                    "WINDOWS-1251, or save the file as UTF-8",
                    file.string(), *line));
  survey.notes.push_back(
      fmt::format("line {} is not UTF-8; the file is read as {} (Western Europe). Where letters look wrong, "
                  "name another one with --encoding",
                  *line, survey.options.encoding));
}

void expect_object(const OrderedJson& record, const fs::path& file, std::size_t line) {
  if (record.is_object()) return;
  throw ParseError(fmt::format("{}:{}: expected an object, such as {{\"text\": …, \"label\": …}}, found the type {}",
                               file.string(), line, record.type_name()));
}

void survey_json_lines(const fs::path& file, const DataFileOptions& options, Surveyor& surveyor) {
  // What is wrong with the file as such is for its reader to say.
  std::vector<Data> values;
  data::Field any("/");
  any.is_lenient = true;
  data::detail::read_json_lines(file, {any}, options.encoding)->next(values);
  const auto in = detail::open_text(file, options.encoding);
  std::string line;
  for (std::size_t number = 1; std::getline(*in, line); ++number) {
    if (detail::trim(line).empty()) continue;
    const auto record = detail::parse_json<OrderedJson>(line, file.string(), number);
    expect_object(record, file, number);
    surveyor.add_record(record);
  }
}

void survey_json(const fs::path& file, const DataFileOptions& options, Surveyor& surveyor) {
  data::Field any("/");
  any.is_lenient = true;
  const auto reader = data::detail::read_json(file, {any}, options.encoding);  // which says what is wrong
  std::vector<Data> values;
  while (reader->next(values)) {
  }
  data::detail::JsonList records(file, options.encoding);
  for (std::string text; records.next(text);) {
    const auto record = detail::parse_json<OrderedJson>(text, file.string(), records.line());
    expect_object(record, file, records.line());
    surveyor.add_record(record);
  }
}

void survey_csv(const fs::path& file, const DataFileOptions& options, Surveyor& surveyor) {
  const auto reader = open_data_file(file, {}, options);
  std::vector<std::string> names;
  for (const data::Field& field : reader->fields()) names.push_back(field.source);
  std::vector<Data> values;
  while (reader->next(values)) surveyor.add_row(names, values);
}

/// Whether what should be names of columns is a record: a value of a column with few of them, a number above numbers, or a long text.
bool is_first_line_a_record(const Survey& survey) {
  constexpr std::size_t longest_name = 60;
  std::set<std::string> taken;
  return std::any_of(survey.columns.begin(), survey.columns.end(), [&](const Column& column) {
    const auto& labels = column.labels;
    const bool is_label = labels.size() > 1 && std::find(labels.begin(), labels.end(), column.source) != labels.end();
    const bool is_number = column.is_number && detail::unit_of_amount(column.source);
    return is_label || is_number || detail::count_characters(column.source) > longest_name;
  });
}

Survey survey_as(const fs::path& file, Survey survey, const std::function<void(std::size_t)>& on_progress) {
  Surveyor surveyor(on_progress);
  switch (data_format(file)) {
    case DataFormat::csv:
      survey_csv(file, survey.options, surveyor);
      break;
    case DataFormat::json:
      survey_json(file, survey.options, surveyor);
      break;
    case DataFormat::json_lines:
      survey_json_lines(file, survey.options, surveyor);
      break;
  }
  surveyor.finish(survey);
  return survey;
}

}  // namespace

std::string Column::name() const {
  if (!role.empty()) return role;
  return source.starts_with('/') ? source.substr(source.rfind('/') + 1) : source;
}

namespace {

std::vector<std::string> first_row(const fs::path& file, const DataFileOptions& options) {
  const auto in = detail::open_text(file, options.encoding);
  std::vector<std::string> cells;
  data::CsvReader reader(*in, file.string(), csv_options(file, options).delimiter);
  data::detail::first_record(reader, cells);
  return cells;
}

/// Which names of columns cannot have.
bool has_equal_cells(const std::vector<std::string>& cells) {
  std::set<std::string_view> seen;
  return std::any_of(cells.begin(), cells.end(), [&](const std::string& cell) {
    const std::string_view plain = detail::trim(cell);
    return !plain.empty() && !seen.insert(plain).second;
  });
}

}  // namespace

Survey survey_file(const fs::path& file, const std::string& encoding, const std::function<void(std::size_t)>& on_progress) {
  Survey plain;
  find_encoding(file, encoding, plain);
  const std::vector<std::string> cells =
      data_format(file) == DataFormat::csv ? first_row(file, plain.options) : std::vector<std::string>();
  // Names that stand twice are for the reader to refuse.
  const bool has_names = std::any_of(cells.begin(), cells.end(), [](const std::string& cell) { return is_usual_name(cell); });
  if (!has_equal_cells(cells) || has_names) {
    Survey survey = survey_as(file, plain, on_progress);
    if (cells.empty() || !is_first_line_a_record(survey)) return survey;
  }
  for (std::size_t i = 1; i <= cells.size(); ++i) plain.options.columns.push_back(fmt::format("column_{}", i));
  plain.notes.push_back(
      fmt::format("the file has no header line, for its first line looks like a record; its columns are called "
                  "{} (\"columns\" in the task names them)",
                  quoted_list(plain.options.columns)));
  return survey_as(file, plain, on_progress);
}

}  // namespace tgd::cli
