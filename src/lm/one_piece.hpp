// Streaming for models that have the whole reply at once.
#pragma once

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// `done` with the reply's text given to `on_text` before.
ChatModel::Done in_one_piece(ChatModel::OnText on_text, ChatModel::Done done);
/// The same for an outcome that is there. `on_text` may be empty.
void give(const ChatModel::OnText& on_text, const ChatModel::Done& done, Outcome outcome);

}  // namespace tgd::lm::detail
