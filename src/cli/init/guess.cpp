#include "cli/init/guess.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "core/counted.hpp"
#include "core/file.hpp"
#include "core/json_parser.hpp"
#include "core/text.hpp"
#include "task/data_file.hpp"
#include "task/parts.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;
using Type = EvaluatorSpec::Type;

constexpr std::size_t short_text = 12;    // shorter ones are hardly what a model is to read
constexpr std::size_t short_answer = 60;  // longer ones are hardly written twice in the same words

void expect_readable(const fs::path& file) {
  try {
    data_format(file);
  } catch (const ValueError& error) {
    throw TaskError(error.what());
  }
  if (!fs::is_regular_file(file)) throw TaskError(fmt::format("there is no file {}", file.string()));
}

template <std::size_t N>
bool is_one_of(const std::string& name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), detail::lower_case(name)) != names.end();
}

constexpr std::array<std::string_view, 22> target_names{
    "label",           "labels",   "target",    "answer",  "category",  "class",     "expected",   "expected_output",
    "expected_answer", "output",   "gold",      "intent",  "topic",     "sentiment", "completion", "response",
    "ground_truth",    "solution", "kategorie", "antwort", "assistant", "gpt"};
constexpr std::array<std::string_view, 15> id_names{"id",  "uuid",   "guid", "key",  "index",     "idx",        "row", "nr",
                                                    "no.", "number", "date", "time", "timestamp", "created_at", "url"};
constexpr std::array<std::string_view, 20> input_names{
    "text",   "input", "question", "message", "title",   "subject",  "body",  "context",     "ticket", "review",
    "prompt", "query", "document", "content", "passage", "sentence", "email", "description", "user",   "human"};

bool is_id(const Column& column, std::size_t rows) {
  if (is_one_of(column.name(), id_names) || detail::lower_case(column.name()).ends_with("_id")) return true;
  constexpr std::size_t longest_id = 40;
  const bool is_unique = column.distinct == std::min(rows, most_distinct) && rows > 2;
  const bool is_fraction = column.is_number && column.example.find('.') != std::string::npos;
  return is_unique && !column.has_texts && column.longest <= longest_id && column.has_digits && !column.is_json() &&
         !is_fraction;
}

bool is_below(const std::string& source, const std::string& parent) {
  return source == parent || source.starts_with((parent.starts_with('/') ? parent : "/" + parent) + "/");
}

class Guesser {
 public:
  Guesser(const fs::path& file, const InitWishes& wishes, Survey survey)
      : wishes_(wishes), rows_(survey.rows), columns_(std::move(survey.columns)) {
    guess_.file = file;
    guess_.samples = survey.rows;
    guess_.options = std::move(survey.options);
    guess_.notes = std::move(survey.notes);
    guess_.model = wishes.model;
    guess_.base_url = wishes.base_url;
    if (survey.records_with_turns > 0)
      guess_.notes.push_back(fmt::format("{} of {} conversations have more than one message of the user; the last one is read",
                                         survey.records_with_turns, survey.rows));
  }

  InitGuess take() {
    expect_enough();
    find_target();
    find_inputs();
    find_evaluator();
    note_system();
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
    if (rows_ < 3) {
      fail(fmt::format(
          "the file holds {}; a task needs at least 3, one each to learn from, to choose with and to measure with, and "
          "30 or more to say something",
          rows_ == 0   ? "no samples"
          : rows_ == 1 ? "1 sample"
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
    guess_.why_target = is_one_of(best->name(), target_names) ? "its name says so"
                                                              : "it has only " + tgd::detail::counted(best->distinct, "value");
  }

  /// How much a column looks like the expected answer; 0: not at all.
  int target_score(const Column& column) const {
    if (column.distinct < 2 || is_part_of_answer(column)) return 0;
    const bool has_name = is_one_of(column.name(), target_names);
    if (is_id(column, rows_) && !has_name) return 0;
    const bool is_json_text = column.is_list || (column.is_object && (has_name || !has_members(column)));
    return (has_name ? 8 : 0) + (column.has_labels() ? 4 : 0) + (is_json_text ? 3 : 0);
  }

  /// Whether it is a member of an object that is the answer by its name.
  bool is_part_of_answer(const Column& column) const {
    return std::any_of(columns_.begin(), columns_.end(), [&](const Column& other) {
      return other.source != column.source && other.is_object && is_one_of(other.name(), target_names) &&
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
    if (column.role == "system") return column.distinct < 2 ? "the first prompt" : "what the model was told before";
    if (column.count == 0) return "blank in every record";
    if (column.distinct < 2) return "the same in every record";
    if (is_id(column, rows_)) return "looks like an identifier";
    if (column.is_object) return "an object; name it or one of its members with --input";
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
    const std::string stem = column.role.empty() ? placeholder_for(column.name()) : "message";
    std::string name = stem;
    for (int number = 2; taken.count(name) > 0; ++number) name = fmt::format("{}_{}", stem, number);
    guess_.inputs.emplace_back(name, column);
  }

  void note_system() {
    for (const Column& column : columns_) {
      if (column.role == "system" && column.distinct == 1) guess_.system_text = column.example;
    }
  }

  void find_evaluator() {
    const Column& target = guess_.target;
    const auto decide = [&](Type type, std::string why) {
      guess_.evaluator = type;
      guess_.why_evaluator = std::move(why);
    };
    if (target.is_object) return decide(Type::json_fields, "answers are JSON objects");
    if (target.is_list) return decide(Type::json_fields, "answers are JSON lists, compared by their items");
    if (target.is_number) return decide(Type::number, "answers are numbers");
    if (target.ends_in_results) return decide(Type::number, "answers end in a number behind \"####\"; the last one counts");
    if (target.has_labels()) return decide(Type::exact_match, fmt::format("{} different short answers", target.distinct));
    if (target.mean_length <= short_answer) return decide(Type::exact_match, "answers are short");
    decide(Type::judge, "answers are long texts, which are hardly ever the same word for word");
  }

  const InitWishes& wishes_;
  std::size_t rows_;
  std::vector<Column> columns_;
  InitGuess guess_;
};

}  // namespace

bool is_usual_name(const std::string& name) {
  const std::string plain(detail::trim(name));
  return is_one_of(plain, target_names) || is_one_of(plain, input_names);
}

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

InitGuess guess_task(const fs::path& file, const InitWishes& wishes, const std::function<void(std::size_t)>& on_progress) {
  expect_readable(file);
  try {
    return Guesser(file, wishes, survey_file(file, wishes.encoding, on_progress)).take();
  } catch (const TaskError&) {
    throw;
  } catch (const Error& error) {
    throw TaskError(error.what());
  }
}

}  // namespace tgd::cli
