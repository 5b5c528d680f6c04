// Answers: what a diagnosis compares them by. Private to the library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/data.hpp>
#include <tgd/optim/diagnosis.hpp>

namespace tgd::optim::detail {

/// The number that a text is, with nothing beside it.
std::optional<Data> number_of(std::string_view text);

struct Date {
  int year;
  int month;  // where day and month cannot be told apart, the smaller of the two
  int day;
  std::size_t begin;
  std::size_t end;
  bool is_ambiguous = false;

  bool is_same_day(const Date& other) const;
};
std::vector<Date> dates_in(std::string_view text);
/// "YYYY-MM-DD" for "2024-05-31"; empty where the text is no date in digits, or day and month cannot be told apart.
std::string date_pattern(std::string_view text);

/// "text", "number", …
std::string type_name(const nlohmann::ordered_json& value);
/// The JSON that a text is, an object or a list.
std::optional<nlohmann::ordered_json> json_of(std::string_view text);
/// Whatever the order of members is.
bool is_same_value(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b);

/// "billing, shipping"; in quotation marks where one has a comma.
std::string list_text(const std::vector<std::string>& labels);
/// The keys of objects, for a language model.
std::string keys_text(const AnswerForm& form, const Prompts& prompts);

/// The words of a text, as they are compared.
std::vector<std::uint64_t> folded_words(std::string_view text);

/// Which labels a text names. A label inside a longer one ("spam" in "not spam") is none.
class LabelFinder {
 public:
  explicit LabelFinder(const std::vector<std::string>& labels);
  /// Places in the list, each once, in the order of the text.
  std::vector<std::size_t> find(std::string_view text) const;

 private:
  struct Label {
    std::size_t number;
    std::string_view text;
    std::vector<std::uint64_t> words;
  };
  std::vector<Label> labels_;  // the longest first
};

}  // namespace tgd::optim::detail
