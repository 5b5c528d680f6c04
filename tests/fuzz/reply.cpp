// The parser of replies takes any bytes: it reads a reply or explains an error, in UTF-8 that is fit to print.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "core/one_line.hpp"
#include "core/utf8.hpp"
#include "lm/openai/protocol.hpp"
#include "lm/utf8_joiner.hpp"

namespace {

using namespace tgd::lm::detail;

bool is_utf8(std::string_view text) {
  while (const std::size_t length = character_length(text)) text.remove_prefix(length);
  return text.empty();
}

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const tgd::LMError& error) { require(is_utf8(error.what()) && std::string_view(error.what()).size() < 2000); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  for (const bool delimited : {true, false}) {
    const ParsedReply parsed = parse_reply(text, delimited);
    require(parsed.usage.prompt_tokens >= 0 && parsed.usage.completion_tokens >= 0);
    if (const auto* reply = std::get_if<tgd::lm::Reply>(&parsed.result)) {
      require(is_utf8(reply->content));
    } else {
      check(std::get<tgd::LMError>(parsed.result));
    }
  }
  check(status_error(500, text, "m", text));
  require(show_invalid_bytes(hide_invalid_bytes(tgd::detail::valid_utf8(text))) == tgd::detail::valid_utf8(text) ||
          text.find('\xF4') != text.npos);
  return 0;
}
