// The calls of a function or an agent by command, item by item. Private to the library.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/cognitive/command_function.hpp>
#include <tgd/lm/chat_model.hpp>

#include "core/storage.hpp"

namespace tgd::detail {

inline constexpr const char* command_purpose = "command";

/// {"question": "…"} of one item. Waits for it.
nlohmann::ordered_json items_json(const NamedInputs& inputs, std::size_t item);
/// The Variables of lists of inputs, one behind the other. Throws ValueError for a name that is empty or there twice.
std::vector<Variable> variables_of(const std::string& operation, const std::vector<const NamedInputs*>& lists);

struct CommandCalls {
  std::string operation;
  lm::ChatModelPtr command;
  /// What it is told of an item, by group: {"inputs": {…}}.
  std::vector<std::pair<std::string, NamedInputs>> groups;
  OnError on_error = OnError::fail;
  /// Looks at an answer before its output is taken; says what is wrong with it. May be empty.
  std::function<std::optional<std::string>(std::size_t item, const nlohmann::ordered_json& answer)> look = {};
};

/// The outputs, on their way.
std::shared_ptr<Storage> start_command_calls(CommandCalls calls);

}  // namespace tgd::detail
