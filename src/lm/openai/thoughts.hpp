// Thoughts that a server leaves in the content of a reply: "<think>…</think>" and the other spellings, at its beginning.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

struct SplitReply {
  std::string reasoning = {};
  std::string answer = {};
};

/// A thought that has no end leaves no answer. Everything before an end without a beginning, which some templates swallow, is a
/// thought, too. A text without thoughts stays as it is; blanks between a thought and the answer go.
SplitReply split_thoughts(std::string_view text);

/// Why a reply that a limit cut off before the model was done with thinking is none; nothing for others.
std::optional<LMError> cut_while_thinking(const Reply& reply);

/// The same for text that arrives in pieces. What was given out before the end of a thought without a beginning stays so.
class ThoughtFilter {
 public:
  /// What the piece adds to the answer.
  std::string take(std::string_view piece);
  /// What is left at the end.
  std::string finish();

 private:
  enum class State { start, thought, answer };

  bool step();

  State state_ = State::start;
  bool has_thoughts_ = false;
  std::string_view end_ = {};  // of the thought that runs
  std::string held_ = {};      // not decided yet
  std::string answer_ = {};
};

}  // namespace tgd::lm::detail
