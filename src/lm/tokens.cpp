#include <tgd/lm/tokens.hpp>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/saturating.hpp"
#include "core/text.hpp"
#include "lm/lenient_json.hpp"
#include "lm/openai/protocol.hpp"

namespace tgd::lm {

std::int64_t estimate_tokens(std::string_view text) {
  std::int64_t ascii = 0;
  std::int64_t others = 0;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80) {
      ++ascii;
    } else if (!tgd::detail::is_continuation(c)) {
      ++others;
    }
  }
  return (ascii + 3) / 4 + others;
}

std::int64_t estimate_prompt_tokens(const Request& request) {
  constexpr std::int64_t around_message = 4;
  constexpr std::int64_t begin_of_reply = 3;
  std::int64_t tokens = begin_of_reply;
  for (const Message& message : request.messages) tokens += around_message + estimate_tokens(message.content);
  return tokens;
}

std::int64_t expected_completion_tokens(const Request& request, std::int64_t otherwise) {
  if (const auto limit = detail::reply_limit(request.args)) return *limit;
  const std::int64_t choices = detail::count(detail::member(request.args.value(), "n"));
  return tgd::detail::saturated_product(otherwise, std::max<std::int64_t>(1, choices));
}

}  // namespace tgd::lm
