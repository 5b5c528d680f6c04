// What the end of a reply means, decided here and nowhere else: every vendor has words of its own for it.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

struct EndOfReply {
  ReplyEnd end = ReplyEnd::whole;
  bool is_known = true;      ///< false for a word that no vendor was known to use
  bool is_of_model = false;  ///< where it failed: the model did with this request, and not its endpoint
  std::string reason = {};   ///< what a choice's own error says; empty where there is none
};

/// The word for the end of a choice; empty where there is none.
std::string finish_word(const nlohmann::json& choice);

/// `choice`: of a completion, or the last chunk of a streamed one. `has_text`: an unknown word ends a reply well only then.
EndOfReply end_of_reply(const nlohmann::json& choice, bool has_text);

/// The same of the word alone.
EndOfReply end_named(std::string_view word, bool has_text);

}  // namespace tgd::lm::detail
