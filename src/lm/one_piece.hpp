// Streaming for models that have the whole reply at once.
#pragma once

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// `done` with the reply's text given to `on_text` before.
ChatModel::Done in_one_piece(ChatModel::OnText on_text, ChatModel::Done done);

}  // namespace tgd::lm::detail
