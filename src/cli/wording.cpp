#include "cli/wording.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <new>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tgd::cli {

namespace {

struct Wording {
  std::string_view of_library;
  std::string_view of_program;
};

/// Sentences that have no counterpart word by word. What stands between their two halves goes with them.
struct Advice {
  std::string_view begin;
  std::string_view end;
  std::string_view of_program;
};

constexpr std::array advices{
    Advice{"Give it in BudgetOptions::prices", "for a model that costs nothing",
           "Give it in the task, as \"price\" of the model: {\"input\": 0.15, \"output\": 0.6} in USD for a million tokens, 0 "
           "for a model "
           "that costs nothing"},
    Advice{" (Variable::set_requires_grad)", "", ""},
    Advice{", or let the ledger go on (OnFault::go_on)", "", ""},
};

constexpr std::array wordings{
    Wording{"ParameterRules::frozen", "\"frozen\""},
    Wording{"ParameterRules::instructions", "\"instructions\""},
    Wording{"CallOptions::timeout", "\"timeout_seconds\""},
    Wording{"CommandOptions::timeout_seconds", "\"timeout_seconds\""},
    Wording{"FitOptions::resume", "--resume"},
    Wording{"FitOptions::checkpoint", "the checkpoint"},
    Wording{"CacheOptions::path", "\"cache\""},
    Wording{"CassetteOptions::path", "run.cassette"},
    Wording{"TrainerOptions::run_folder", "--run-dir"},
    Wording{"TrainerOptions::max_time", "--max-time"},
    Wording{"TrainerOptions::max_cost", "--max-cost"},
    Wording{"TrainerOptions::first_proposals", "\"free_proposals\""},
    Wording{"Trainer::hold_run_folder", "another process"},
    Wording{"Request::messages", "\"messages\""},
};

/// Types of the library whose members a message may name.
constexpr std::array library_types{"BackwardOptions",
                                   "BudgetOptions",
                                   "CacheOptions",
                                   "CallOptions",
                                   "CassetteOptions",
                                   "ChatOptions",
                                   "CommandOptions",
                                   "Constraint",
                                   "Cost",
                                   "EarlyStopping",
                                   "EvaluatorOptions",
                                   "FeedbackOptions",
                                   "FitOptions",
                                   "Gate",
                                   "Json",
                                   "LedgerOptions",
                                   "OnError",
                                   "OnFault",
                                   "OpenAIOptions",
                                   "ParameterRules",
                                   "Price",
                                   "PriceTable",
                                   "ProgressOptions",
                                   "Random",
                                   "Reduction",
                                   "Request",
                                   "Search",
                                   "SimulatedOptions",
                                   "Split",
                                   "TGD",
                                   "TGDOptions",
                                   "Trainer",
                                   "TrainerOptions",
                                   "Variable"};

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// "TGDOptions::momentum" as "momentum" in quotes, which is what tasks call most of them.
void quote_members(std::string& text) {
  for (std::size_t at = text.find("::"); at != text.npos; at = text.find("::", at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && is_name(text[begin - 1])) --begin;
    std::size_t end = at + 2;
    while (end < text.size() && is_name(text[end])) ++end;
    const std::string_view type(text.data() + begin, at - begin);
    if (std::find(library_types.begin(), library_types.end(), type) == library_types.end() || end == at + 2) continue;
    const std::string member = text.substr(at + 2, end - at - 2);
    text.replace(begin, end - begin, "\"" + member + "\"");
    at = begin;
  }
}

}  // namespace

std::string in_program_words(std::string text) {
  for (const Advice& advice : advices) {
    const std::size_t begin = text.find(advice.begin);
    if (begin == text.npos) continue;
    const std::size_t end = text.find(advice.end, begin + advice.begin.size());
    if (end != text.npos) text.replace(begin, end + advice.end.size() - begin, advice.of_program);
  }
  for (const Wording& wording : wordings) replace_all(text, wording.of_library, wording.of_program);
  quote_members(text);
  return text;
}

std::string message_of(const std::exception& error) {
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    return fmt::format("{}{}{}", file->path1().string(), file->path1().empty() ? "" : ": ", file->code().message());
  if (const auto* system = dynamic_cast<const std::system_error*>(&error)) return system->code().message();
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "there is not enough memory";
  if (dynamic_cast<const nlohmann::json::exception*>(&error) != nullptr)
    return std::string("a file of the run is not as tgd writes it: ") + error.what();
  return in_program_words(error.what());
}

}  // namespace tgd::cli
