// The simulated model as a judge: how many words of the expected answer the answer has.
#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "simulated/abilities.hpp"

namespace tgd::lm::detail {

namespace {

/// What stands behind the last heading of this kind, "Expected answer:" and the like, up to the next one.
std::string section_of(std::string_view request, bool is_expected) {
  std::string found;
  std::string* open = nullptr;
  while (!request.empty()) {
    const std::size_t end = std::min(request.find('\n'), request.size());
    const std::string_view line = request.substr(0, end);
    request.remove_prefix(std::min(end + 1, request.size()));
    const std::size_t colon = line.find(':');
    constexpr std::size_t longest_heading = 30;
    const std::string heading = lower_case(line.substr(0, std::min(colon, longest_heading)));
    const bool is_heading = colon < longest_heading && heading.find('{') == std::string::npos;
    if (is_heading) {
      const bool says_expected = contains_any(heading, {"expected", "target", "reference"});
      const bool says_answer = contains_any(heading, {"answer", "prediction", "reply", "output"});
      open = (is_expected ? says_expected : says_answer && !says_expected) ? &found : nullptr;
      if (open != nullptr) found = line.substr(colon + 1);
    } else if (open != nullptr) {
      (*open += '\n') += line;
    }
  }
  return found;
}

std::set<std::string> stems_of(std::string_view text) {
  std::set<std::string> stems;
  for (const Word& word : words_of(text)) {
    if (!is_stop_word(word.text)) stems.insert(word.stem);
  }
  return stems;
}

}  // namespace

bool asks_for_verdict(std::string_view request) {
  // A prompt of rules that has its label written as a verdict is no judge: it shows nothing to compare.
  return request.find("\"score\"") != std::string_view::npos && request.find("\"explanation\"") != std::string_view::npos &&
         request.find("Expected answer:") != std::string_view::npos;
}

std::string judge(std::string_view request) {
  // How the verdict has to look stands in the end.
  request = request.substr(0, request.rfind("\n\n", request.rfind("\"score\"")));
  const std::string expected = section_of(request, true);
  const std::string answer = section_of(request, false);
  const std::set<std::string> wanted = stems_of(expected);
  const std::set<std::string> got = stems_of(answer);
  std::vector<std::string> missing;
  std::set_difference(wanted.begin(), wanted.end(), got.begin(), got.end(), std::back_inserter(missing));
  const double share =
      wanted.empty() ? (got.empty() ? 0.0 : 1.0) : 1 - static_cast<double>(missing.size()) / static_cast<double>(wanted.size());
  constexpr std::size_t most_named = 8;
  const std::size_t count = missing.size();
  missing.resize(std::min(count, most_named));
  const std::string explanation =
      count == 0 ? "It says what is expected."
                 : "It lacks " + tgd::detail::join(missing, ", ") + (count > most_named ? " and more." : ".");
  return nlohmann::ordered_json{{"score", std::round(share * 100) / 100}, {"explanation", explanation}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tgd::lm::detail
