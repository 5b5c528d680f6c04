// Manual pages, made from the command line as it is declared and from what --help says: a new option needs no second place.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tgd::cli {

struct ManualPage {
  std::string name;  ///< "tgd", "tgd-optimize", "tgd-cache-stats"
  std::string text;  ///< for man(1)
};

/// One for the program, and one for each command.
std::vector<ManualPage> manual_pages(const CLI::App& app);

}  // namespace tgd::cli
