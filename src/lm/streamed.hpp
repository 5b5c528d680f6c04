// Streams of models that have their whole reply at once: given out word by word, or in one piece.
#pragma once

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// model.start() with the reply's text given to `on_text` in words, each with the white space behind it, before `done`.
void start_in_words(ChatModel& model, Request request, ChatModel::OnText on_text, ChatModel::Done done);

/// `done` with the reply's text given to `on_text` before.
ChatModel::Done in_one_piece(ChatModel::OnText on_text, ChatModel::Done done);
/// The same for an outcome that is there. `on_text` may be empty.
void give(const ChatModel::OnText& on_text, const ChatModel::Done& done, Outcome outcome);

}  // namespace tgd::lm::detail
