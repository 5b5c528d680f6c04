#include "cli/argument_checks.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "core/number_of_text.hpp"
#include "core/text.hpp"
#include "task/document.hpp"

namespace tgd::cli {

namespace {

std::string unlike(const std::string& expected, const std::string& given) {
  return fmt::format("expected {}, but this is \"{}\"", expected, tgd::detail::excerpt(given));
}

}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const bool has_end = most != std::numeric_limits<std::int64_t>::max();
  const std::string expected = fmt::format("a whole number from {}{}", least, has_end ? fmt::format(" to {}", most) : "");
  return CLI::Validator(
      [least, most, expected](const std::string& given) {
        const auto value = tgd::detail::number_of_text<std::int64_t>(given);
        return value && *value >= least && *value <= most ? std::string() : unlike(expected, given);
      },
      "");
}

CLI::Validator number(bool is_above, double most) {
  const std::string expected =
      fmt::format("a number {}{}", is_above ? "above 0" : "from 0", std::isfinite(most) ? fmt::format(" to {}", most) : "");
  return CLI::Validator(
      [is_above, most, expected](const std::string& given) {
        const auto value = tgd::detail::number_of_text<double>(given);
        const bool is_fine = value && std::isfinite(*value) && *value <= most && (is_above ? *value > 0 : *value >= 0);
        return is_fine ? std::string() : unlike(expected, given);
      },
      "");
}

CLI::Validator one_of(std::vector<std::string> words) {
  // Completions read the choices off this.
  const std::string choices = fmt::format("{{{}}}", tgd::detail::join(words, ","));
  return CLI::Validator(
      [words = std::move(words)](const std::string& given) {
        if (std::find(words.begin(), words.end(), given) != words.end()) return std::string();
        return unlike("one of " + quoted_list(words), given) + did_you_mean(given, words);
      },
      choices);
}

}  // namespace tgd::cli
