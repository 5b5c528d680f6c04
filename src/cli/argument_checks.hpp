// What the value of an option may be. Whatever else is given is told with what was expected.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace tgd::cli {

CLI::Validator whole_number(std::int64_t least, std::int64_t most = std::numeric_limits<std::int64_t>::max());
/// From 0; `is_above`: and not 0 itself.
CLI::Validator number(bool is_above = false, double most = std::numeric_limits<double>::infinity());
CLI::Validator one_of(std::vector<std::string> words);

}  // namespace tgd::cli
