#include "cli/init/guess.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <tgd/data/records.hpp>

#include "core/file.hpp"
#include "core/json_parser.hpp"
#include "core/text.hpp"
#include "task/data_file.hpp"
#include "task/parts.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;
using Type = EvaluatorSpec::Type;

constexpr std::size_t most_labels = 20;
constexpr std::size_t longest_label = 40;
constexpr std::size_t short_text = 12;    // shorter ones are hardly what a model is to read
constexpr std::size_t short_answer = 60;  // longer ones are hardly written twice in the same words

// ---- Reading ---------------------------------------------------------------------------------------------------------------

void expect_readable(const fs::path& file) {
  const std::vector<std::string> endings{".csv", ".jsonl", ".json"};
  if (std::find(endings.begin(), endings.end(), file.extension().string()) == endings.end()) {
    throw TaskError(fmt::format("{}: the ending is not known; there are {}", file.string(), quoted_list(endings)));
  }
  if (!fs::is_regular_file(file)) throw TaskError(fmt::format("there is no file {}", file.string()));
}

/// The first record, as far as it is JSON; what is malformed is for the library to complain about.
OrderedJson first_record(const fs::path& file) {
  if (file.extension() == ".jsonl") return detail::parse_or_discard<OrderedJson>(first_line(file));
  const OrderedJson all = detail::parse_or_discard<OrderedJson>(tgd::detail::read_file(file));
  return all.is_array() && !all.empty() ? all[0] : OrderedJson();
}

std::string escaped(std::string_view key) {
  std::string text;
  for (const char c : key) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return text;
}

/// Every member of the record, at any depth, but no items of lists.
void add_sources(const OrderedJson& value, const std::string& pointer, std::vector<std::string>& sources) {
  for (const auto& member : value.items()) {
    const std::string below = pointer + "/" + escaped(member.key());
    const bool is_plain = pointer.empty() && !member.key().empty() && member.key().front() != '/';
    sources.push_back(is_plain ? member.key() : below);
    if (member.value().is_object()) add_sources(member.value(), below, sources);
  }
}

std::vector<std::string> sources_of(const fs::path& file) {
  std::vector<std::string> sources;
  if (file.extension() != ".csv") {
    const OrderedJson record = first_record(file);
    if (record.is_object()) add_sources(record, "", sources);
  }
  return sources.empty() ? read_data_file(file, {}).names() : sources;
}

struct Table {
  std::size_t rows = 0;
  std::vector<std::pair<std::string, std::vector<std::string>>> columns = {};
  std::vector<std::pair<std::string, std::string>> unreadable = {};
};

void add_columns(Table& table, const fs::path& file, const data::Fields& fields) {
  const data::Records records = read_data_file(file, fields);
  table.rows = records.size();
  for (const data::Field& field : fields) {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < records.size(); ++i) values.push_back(records[i].at(field.name).item_text());
    table.columns.emplace_back(field.source, std::move(values));
  }
}

/// A field that only some records have is left out; what is wrong with the file as a whole is an error.
Table read_table(const fs::path& file) {
  Table table;
  const std::vector<std::string> sources = sources_of(file);
  try {
    add_columns(table, file, data::Fields(sources.begin(), sources.end()));
    return table;
  } catch (const Error&) {
    table = {};
  }
  std::string problem;
  for (const std::string& source : sources) {
    try {
      add_columns(table, file, {source});
    } catch (const Error& error) {
      problem = error.what();
      table.unreadable.emplace_back(source, "not every record has it, or as one kind of value: " + problem);
    }
  }
  if (table.columns.empty()) throw TaskError(problem);
  return table;
}

// ---- Columns ---------------------------------------------------------------------------------------------------------------

bool is_number(const std::string& text) {
  const std::string_view trimmed = tgd::detail::trim(text);
  double number = 0;
  const auto [end, error] = std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), number);
  return error == std::errc() && end == trimmed.data() + trimmed.size();
}

bool is_json_object(const std::string& text) {
  return tgd::detail::trim(text).starts_with("{") && detail::parse_or_discard<OrderedJson>(text).is_object();
}

Column column_of(const std::string& source, const std::vector<std::string>& values) {
  Column column{.source = source};
  std::set<std::string> distinct;
  std::size_t total = 0;
  for (const std::string& value : values) {
    const std::size_t length = tgd::detail::count_characters(value);
    total += length;
    column.longest = std::max(column.longest, length);
    distinct.insert(value);
  }
  column.mean_length = total / std::max<std::size_t>(values.size(), 1);
  column.distinct = distinct.size();
  column.is_number = std::all_of(values.begin(), values.end(), is_number);
  column.is_json = std::all_of(values.begin(), values.end(), is_json_object);
  column.example = values.empty() ? std::string() : values.front();
  const bool are_few = distinct.size() <= most_labels && distinct.size() * 2 <= std::max<std::size_t>(values.size(), 4);
  if (are_few && column.longest <= longest_label && !column.is_json) column.labels.assign(distinct.begin(), distinct.end());
  return column;
}

template <std::size_t N>
bool is_one_of(const std::string& name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), detail::lower_case(name)) != names.end();
}

constexpr std::array<std::string_view, 20> target_names{
    "label",           "labels",          "target",       "answer",   "category",  "class",  "expected",
    "expected_output", "expected_answer", "output",       "gold",     "intent",    "topic",  "sentiment",
    "completion",      "response",        "ground_truth", "solution", "kategorie", "antwort"};
constexpr std::array<std::string_view, 15> id_names{"id",  "uuid",   "guid", "key",  "index",     "idx",        "row", "nr",
                                                    "no.", "number", "date", "time", "timestamp", "created_at", "url"};
constexpr std::array<std::string_view, 18> input_names{"text",     "input",   "question", "message",  "title",  "subject",
                                                       "body",     "context", "ticket",   "review",   "prompt", "query",
                                                       "document", "content", "passage",  "sentence", "email",  "description"};

bool is_id(const Column& column, std::size_t rows) {
  if (is_one_of(column.name(), id_names) || detail::lower_case(column.name()).ends_with("_id")) return true;
  const bool is_unique = column.distinct == rows && rows > 2;
  const bool is_word = column.example.find(' ') == std::string::npos && column.longest <= longest_label;
  return is_unique && is_word && column.mean_length > 0 && column.example.find_first_of("0123456789") != std::string::npos &&
         !column.is_json && (column.is_number ? column.example.find('.') == std::string::npos : true);
}

bool is_below(const std::string& source, const std::string& parent) {
  return source == parent || source.starts_with((parent.starts_with('/') ? parent : "/" + parent) + "/");
}

class Guesser {
 public:
  Guesser(const fs::path& file, const InitWishes& wishes) : wishes_(wishes), table_(read_table(file)) {
    guess_.file = file;
    guess_.samples = table_.rows;
    guess_.left_out = table_.unreadable;
    for (const auto& column : table_.columns) columns_.push_back(column_of(column.first, column.second));
  }

  InitGuess take() {
    expect_enough();
    find_target();
    find_inputs();
    find_evaluator();
    return std::move(guess_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { throw TaskError(guess_.file.string() + ": " + message); }

  std::vector<std::string> sources() const {
    std::vector<std::string> names;
    for (const Column& column : columns_) names.push_back(column.source);
    return names;
  }

  void expect_enough() const {
    if (table_.rows < 3) {
      fail(fmt::format(
          "the file holds {}; a task needs at least 3, one each to learn from, to choose with and to measure with, and "
          "30 or more to say something",
          table_.rows == 0   ? "no samples"
          : table_.rows == 1 ? "1 sample"
                             : "2 samples"));
    }
    if (columns_.size() < 2) {
      fail(fmt::format("the only field is {}; a task needs one to read, such as a text, and one with the expected answer",
                       quoted_list(sources())));
    }
  }

  const Column& named(const std::string& source, const char* flag) const {
    for (const Column& column : columns_) {
      if (column.source == source || column.source == "/" + source) return column;
    }
    fail(fmt::format("{} {}: there is no such field; there are {}{}", flag, source, quoted_list(sources()),
                     did_you_mean(source, sources())));
  }

  void find_target() {
    if (wishes_.target) {
      guess_.target = named(*wishes_.target, "--target");
      guess_.why_target = "as --target says";
      return;
    }
    const Column* best = nullptr;
    for (const Column& column : columns_) {
      // Of equals the last: answers mostly stand behind what they answer.
      const int score = target_score(column);
      if (score > 0 && (best == nullptr || score >= target_score(*best))) best = &column;
    }
    if (!best) {
      fail(fmt::format(
          "none of the fields looks like the expected answer (few short values, or a name such as \"label\"); name it with "
          "--target. There are {}",
          quoted_list(sources())));
    }
    guess_.target = *best;
    guess_.why_target =
        is_one_of(best->name(), target_names) ? "its name says so" : fmt::format("it has only {} values", best->distinct);
  }

  /// How much a column looks like the expected answer; 0: not at all.
  int target_score(const Column& column) const {
    if (column.distinct < 2 || is_part_of_answer(column)) return 0;
    const bool has_name = is_one_of(column.name(), target_names);
    if (is_id(column, table_.rows) && !has_name) return 0;
    const bool is_json_text = column.is_json && (has_name || !has_members(column));
    return (has_name ? 8 : 0) + (column.has_labels() ? 4 : 0) + (is_json_text ? 3 : 0);
  }

  /// Whether it is a member of an object that is the answer by its name.
  bool is_part_of_answer(const Column& column) const {
    return std::any_of(columns_.begin(), columns_.end(), [&](const Column& other) {
      return other.source != column.source && other.is_json && is_one_of(other.name(), target_names) &&
             is_below(column.source, other.source);
    });
  }

  bool has_members(const Column& column) const {
    return std::any_of(columns_.begin(), columns_.end(), [&](const Column& other) {
      return other.source != column.source && is_below(other.source, column.source);
    });
  }

  /// Why a column is no input; empty when it may be one.
  std::string objection(const Column& column) const {
    if (column.distinct < 2) return "the same in every record";
    if (is_id(column, table_.rows)) return "looks like an identifier";
    if (column.is_json) return "an object; name it or one of its members with --input";
    return {};
  }

  void find_inputs() {
    std::vector<const Column*> possible;
    for (const std::string& source : wishes_.inputs) possible.push_back(&named(source, "--input"));
    if (wishes_.inputs.empty()) possible = likely_inputs();
    for (const Column* column : possible) {
      if (column->source == guess_.target.source)
        fail(fmt::format(
            "\"{}\" is the expected answer; the model must not read it. Name another field with --target or --input",
            column->source));
      add_input(*column);
    }
    if (guess_.inputs.empty())
      fail(fmt::format("no field looks like something to read; name one with --input. There are {}", quoted_list(sources())));
  }

  std::vector<const Column*> likely_inputs() {
    std::vector<const Column*> possible;
    for (const Column& column : columns_) {
      if (is_below(column.source, guess_.target.source) || has_members(column)) continue;
      const std::string reason = objection(column);
      if (reason.empty()) {
        possible.push_back(&column);
      } else {
        guess_.left_out.emplace_back(column.source, reason);
      }
    }
    const auto is_text = [](const Column* column) {
      return column->mean_length >= short_text || is_one_of(column->name(), input_names);
    };
    if (std::none_of(possible.begin(), possible.end(), is_text)) return possible;
    std::vector<const Column*> texts;
    for (const Column* column : possible) {
      if (is_text(column)) {
        texts.push_back(column);
      } else {
        guess_.left_out.emplace_back(column->source, "short, beside longer texts; --input takes it in");
      }
    }
    return texts;
  }

  void add_input(const Column& column) {
    // These have a meaning of their own in a task.
    std::set<std::string> taken{"instructions", "prediction", "target"};
    for (const auto& input : guess_.inputs) taken.insert(input.first);
    const std::string stem = placeholder_for(column.name());
    std::string name = stem;
    for (int number = 2; taken.count(name) > 0; ++number) name = fmt::format("{}_{}", stem, number);
    guess_.inputs.emplace_back(name, column);
  }

  void find_evaluator() {
    const Column& target = guess_.target;
    const auto decide = [&](Type type, std::string why) {
      guess_.evaluator = type;
      guess_.why_evaluator = std::move(why);
    };
    if (target.is_json) return decide(Type::json_fields, "answers are JSON objects");
    if (target.is_number) return decide(Type::number, "answers are numbers");
    if (target.has_labels()) return decide(Type::exact_match, fmt::format("{} different short answers", target.distinct));
    if (target.mean_length <= short_answer) return decide(Type::exact_match, "answers are short");
    decide(Type::judge, "answers are long texts, which are hardly ever the same word for word");
  }

  const InitWishes& wishes_;
  Table table_;
  std::vector<Column> columns_;
  InitGuess guess_;
};

}  // namespace

std::string Column::name() const { return source.starts_with('/') ? source.substr(source.rfind('/') + 1) : source; }

std::string placeholder_for(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 20> letters{
      {{"ä", "ae"}, {"ö", "oe"}, {"ü", "ue"}, {"Ä", "ae"}, {"Ö", "oe"}, {"Ü", "ue"}, {"ß", "ss"},
       {"é", "e"},  {"è", "e"},  {"ê", "e"},  {"á", "a"},  {"à", "a"},  {"â", "a"},  {"ç", "c"},
       {"ñ", "n"},  {"ó", "o"},  {"ô", "o"},  {"í", "i"},  {"ú", "u"},  {"å", "a"}}};
  std::string plain = name;
  for (const auto& [letter, latin] : letters) {
    for (std::size_t at = plain.find(letter); at != plain.npos; at = plain.find(letter, at))
      plain.replace(at, letter.size(), latin);
  }
  return as_identifier(detail::lower_case(plain), "input");
}

InitGuess guess_task(const fs::path& file, const InitWishes& wishes) {
  expect_readable(file);
  try {
    return Guesser(file, wishes).take();
  } catch (const TaskError&) {
    throw;
  } catch (const Error& error) {
    throw TaskError(error.what());
  }
}

}  // namespace tgd::cli
