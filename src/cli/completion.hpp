// Completion scripts for shells, made from the command line as it is declared: a new option needs no second place.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace tgd::cli {

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);

}  // namespace tgd::cli
