// Streams of models that have their whole reply at once: given out word by word.
#pragma once

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// model.start() with the reply's text given to `on_text` in words, each with the white space behind it, before `done`.
void start_in_words(ChatModel& model, Request request, ChatModel::OnText on_text, ChatModel::Done done);

}  // namespace tgd::lm::detail
