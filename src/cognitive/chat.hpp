// chat_completion with a look at each reply before it is taken. Private to the library.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <tgd/cognitive/chat_completion.hpp>

namespace tgd::detail {

/// What an operation demands of a reply.
struct ReplyCheck {
  /// Reads the reply to an item. What is wrong, as a sentence for the language model; nullopt for a reply that can be used.
  /// Called from any thread, and before the item is there.
  std::function<std::optional<std::string>(std::size_t item, const std::string& reply)> read = {};
  std::string reask_prompt = {};  ///< its {reason} is the problem
  std::size_t max_reasks = 0;
};

Variable start_chat(const lm::ChatModelPtr& model, const Messages& messages, const Inputs& inputs, ChatOptions options,
                    ReplyCheck check, std::string purpose);

}  // namespace tgd::detail
