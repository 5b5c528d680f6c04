// Calls that are answered exactly once, whatever a model does. Private to the library.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// `done` is called by the first call of the result, and only by that. When all copies of the result are gone without a call, because
/// the model dropped what it was given, it is called with an LMError.
inline ChatModel::Done exactly_once(ChatModel::Done done) {
  class Owed {
   public:
    explicit Owed(ChatModel::Done done) : done_(std::move(done)) {}
    ~Owed() {
      if (!answered_) answer(LMError(LMError::Kind::cancelled, "the language model ended the call without an answer: it dropped the callback"));
    }
    Owed(const Owed&) = delete;
    Owed& operator=(const Owed&) = delete;
    void answer(Outcome outcome) {
      if (!answered_.exchange(true)) std::exchange(done_, nullptr)(std::move(outcome));
    }

   private:
    ChatModel::Done done_;
    std::atomic<bool> answered_ = false;
  };
  return [owed = std::make_shared<Owed>(std::move(done))](Outcome outcome) { owed->answer(std::move(outcome)); };
}

}  // namespace tgd::lm::detail
