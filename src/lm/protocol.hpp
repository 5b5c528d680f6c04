// The OpenAI chat-completions protocol as pure functions: request bodies out, replies and errors in.
// API: https://platform.openai.com/docs/api-reference/chat/create
// Lenient in what it reads, because compatible servers differ; errors quote a short excerpt of what came.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// The JSON to post. `model` is used unless `args` names one. Invalid UTF-8 becomes U+FFFD.
/// Throws ValueError for no messages, and for arguments that would make the reply unreadable.
std::string request_body(const std::vector<Message>& messages, const Json& args, std::string_view model);

struct ParsedReply {
  std::variant<Reply, LMError> result;
  Usage usage;  ///< token figures and `reported`; present for errors too, since those tokens cost as well
};

/// Reads the body of a 2xx answer. `delimited` says whether the HTTP framing told where the body ends; without it, JSON that
/// stops in the middle counts as a cut connection.
ParsedReply parse_reply(std::string_view body, bool delimited);

/// Explains an answer with another status; `location` is the header of a redirect.
LMError status_error(int status, std::string_view body, std::string_view model, std::string_view location = {});

}  // namespace tgd::lm::detail
