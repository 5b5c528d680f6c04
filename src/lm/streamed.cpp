#include "lm/streamed.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tgd::lm::detail {

namespace {

void give_words(std::string_view text, const ChatModel::OnText& on_text) {
  constexpr std::string_view space = " \t\r\n";
  while (!text.empty()) {
    const std::size_t word_end = text.find_first_of(space, text.find_first_not_of(space));
    const std::size_t next = std::min(text.find_first_not_of(space, word_end), text.size());
    on_text(text.substr(0, next));
    text.remove_prefix(next);
  }
}

}  // namespace

void give(const ChatModel::OnText& on_text, const ChatModel::Done& done, Outcome outcome) {
  try {
    if (on_text && outcome.ok()) on_text(outcome.value().content);
  } catch (...) {
    outcome = outcome.failed(std::current_exception());
  }
  done(std::move(outcome));
}

ChatModel::Done in_one_piece(ChatModel::OnText on_text, ChatModel::Done done) {
  return [on_text = std::move(on_text), done = std::move(done)](Outcome outcome) { give(on_text, done, std::move(outcome)); };
}

void start_in_words(ChatModel& model, Request request, ChatModel::OnText on_text, ChatModel::Done done) {
  model.start(std::move(request), [on_text = std::move(on_text), done = std::move(done)](Outcome outcome) {
    try {
      if (outcome.ok()) give_words(outcome.value().content, on_text);
    } catch (...) {
      outcome = outcome.failed(std::current_exception());
    }
    done(std::move(outcome));
  });
}

}  // namespace tgd::lm::detail
