// What somebody who watches the processes of a command adds to them. Private to the library and the program.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace tgd::lm::detail {

/// Processes are numbered from 0; one that takes the place of another has its number. Called on the command's thread; have to
/// be quick.
struct CommandHooks {
  /// Further variables of a process's environment, over all others.
  std::function<std::vector<std::pair<std::string, std::string>>(std::size_t process)> environment = {};
  /// A process is asked something.
  std::function<void(std::size_t process)> asked = {};
  /// The "trace" of an answer that has none; null: none.
  std::function<nlohmann::ordered_json(std::size_t process)> trace = {};
  std::vector<std::string> secrets = {};
};

}  // namespace tgd::lm::detail
