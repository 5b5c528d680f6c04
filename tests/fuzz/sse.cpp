// The readers of streams take any bytes in pieces of any size: the borders of the pieces change nothing, and what is given out is
// UTF-8 and adds up to the reply.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lm/openai/stream.hpp"
#include "lm/utf8_joiner.hpp"
#include "net/sse.hpp"

namespace {

using tgd::lm::detail::ChatStream;
using tgd::net::SseEvent;
using tgd::net::SseParser;

std::vector<std::string> events(std::string_view text, std::size_t size) {
  std::vector<std::string> fields;
  const auto keep = [&](const SseEvent& event) { fields.insert(fields.end(), {event.name, event.data, event.id}); };
  SseParser parser;
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) parser.feed(text.substr(0, size), keep);
  parser.finish(keep);
  return fields;
}

bool is_utf8(std::string_view text) {
  while (const std::size_t length = tgd::lm::detail::character_length(text)) text.remove_prefix(length);
  return text.empty();
}

struct Read {
  std::string text;
  std::string outcome;
};

Read read(std::string_view text, std::size_t size) {
  ChatStream stream;
  Read result;
  const auto take = [&](const std::string& piece) {
    if (!is_utf8(piece)) std::abort();
    result.text += piece;
  };
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) take(stream.feed(text.substr(0, size)));
  const ChatStream::Finish ending = stream.finish(true);
  take(ending.rest);
  if (const auto* reply = std::get_if<tgd::lm::Reply>(&ending.parsed.result)) {
    if (reply->content != result.text) std::abort();
    result.outcome = "reply " + reply->finish_reason;
  } else {
    result.outcome = std::get<tgd::LMError>(ending.parsed.result).what();
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 16 + 1U;
  const std::string text(data + 1, data + size);
  if (events(text, piece) != events(text, size)) std::abort();
  const Read in_pieces = read(text, piece);
  const Read at_once = read(text, size);
  if (in_pieces.text != at_once.text || in_pieces.outcome != at_once.outcome) std::abort();
  return 0;
}
