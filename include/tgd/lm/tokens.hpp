// Estimates of token counts, for plans and reservations; what a call has really used is what its endpoint reports.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <tgd/export.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd::lm {

/// Four ASCII characters to a token, one other character to a token. For the tokenizers of current models English prose comes
/// out within about 20 %, code and numbers up to 40 % too low, Chinese and Japanese up to 40 % too high, Cyrillic, Greek or
/// accented text up to twice too high.
TGD_API std::int64_t estimate_tokens(std::string_view text);

/// The texts of all messages, 4 tokens for each message around them, and 3 that begin the reply.
TGD_API std::int64_t estimate_prompt_tokens(const Request& request);

/// How many tokens a reply may have by the request's own arguments ("max_completion_tokens" or "max_tokens", times "n"), else
/// `otherwise` times "n".
TGD_API std::int64_t expected_completion_tokens(const Request& request, std::int64_t otherwise);

}  // namespace tgd::lm
