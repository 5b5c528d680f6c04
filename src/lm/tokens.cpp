#include <tgd/lm/tokens.hpp>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/text.hpp"

namespace tgd::lm {

namespace {

std::int64_t argument(const Json& args, const char* name, std::int64_t otherwise) {
  if (!args.contains(name)) return otherwise;
  const nlohmann::json& value = args.value()[name];
  return value.is_number_integer() ? std::max<std::int64_t>(0, value.get<std::int64_t>()) : otherwise;
}

}  // namespace

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
  const std::int64_t of_one = argument(request.args, "max_completion_tokens", argument(request.args, "max_tokens", otherwise));
  return of_one * std::clamp<std::int64_t>(argument(request.args, "n", 1), 1, 1000);
}

}  // namespace tgd::lm
