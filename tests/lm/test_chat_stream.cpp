// Streamed completions without a network, in pieces of every size. Most cases are in streams.json.
#include "lm/openai/stream.hpp"

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "lm/error_kinds.hpp"
#include "lm/utf8_joiner.hpp"
#include "support/chat_calls.hpp"
#include "support/table.hpp"

using Catch::Matchers::ContainsSubstring;
using nlohmann::json;
using tgd::LMError;
using tgd::lm::Reply;
using tgd::lm::Usage;
using tgd::lm::detail::character_length;
using tgd::lm::detail::ChatStream;
using tgd::lm::detail::hide_invalid_bytes;
using tgd::lm::detail::show_invalid_bytes;
using tgd::lm::detail::Utf8Joiner;
using tgd::test::kind_named;
using tgd::test::without_estimates;
using Kind = LMError::Kind;

namespace {

struct Read {
  std::vector<std::string> pieces;
  tgd::lm::detail::ParsedReply parsed;
  bool complete;
};

Read read(const std::string& body, std::size_t size, const std::optional<LMError>& broken = std::nullopt) {
  ChatStream stream;
  Read result{};
  const auto keep = [&](const std::string& piece) {
    if (!piece.empty()) result.pieces.push_back(piece);
  };
  for (std::size_t at = 0; at < body.size(); at += size) {
    const std::string piece = body.substr(at, size);
    const std::vector<char> exact(piece.begin(), piece.end());
    keep(stream.feed({exact.data(), exact.size()}));
  }
  result.complete = stream.complete();
  ChatStream::Finish ending = stream.finish(true, broken);
  keep(ending.rest);
  result.parsed = std::move(ending.parsed);
  return result;
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

bool is_valid(std::string_view text) {
  while (!text.empty() && character_length(text) > 0) text.remove_prefix(character_length(text));
  return text.empty();
}

// A row's body: a text as it is, or a list of events, each a text or JSON.
std::string body_of(const json& row) {
  const json& body = row.at("body");
  if (body.is_string()) return body.get<std::string>();
  std::string text;
  for (const json& event : body) text += "data: " + (event.is_string() ? event.get<std::string>() : event.dump()) + "\n\n";
  return text;
}

void check(const json& row, const Read& result) {
  for (const std::string& piece : result.pieces) REQUIRE(is_valid(piece));
  if (row.contains("usage")) REQUIRE(without_estimates(result.parsed.usage) == Usage::from_json(row["usage"]));
  if (row.contains("mended")) REQUIRE(result.parsed.mended == row["mended"].get<std::string>());
  if (row.contains("content")) {
    REQUIRE(std::holds_alternative<Reply>(result.parsed.result));
    const Reply& reply = std::get<Reply>(result.parsed.result);
    REQUIRE(reply.content == row.at("content").get<std::string>());
    REQUIRE(joined(result.pieces) == reply.content);
    REQUIRE(reply.finish_reason == row.value("finish_reason", "stop"));
    REQUIRE(reply.alternatives == row.value("alternatives", std::vector<std::string>()));
    if (row.contains("model")) REQUIRE(reply.model == row["model"].get<std::string>());
  } else {
    REQUIRE(std::holds_alternative<LMError>(result.parsed.result));
    const LMError& error = std::get<LMError>(result.parsed.result);
    REQUIRE(error.kind() == kind_named(row.at("error")));
    REQUIRE(error.retryable() == row.at("retryable").get<bool>());
    for (const json& part : row.at("says")) REQUIRE_THAT(error.what(), ContainsSubstring(part.get<std::string>()));
  }
}

const std::string hello = R"(data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]})"
                          "\n\n";
const std::string stop = R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
                         "\n\n";

}  // namespace

TEST_CASE("Streams are read as streams.json says, whatever the borders of the pieces", "[lm][stream]") {
  for (const json& row : tgd::test::table("lm/streams.json")) {
    DYNAMIC_SECTION(row.at("name").get<std::string>()) {
      const std::string body = body_of(row);
      const std::size_t largest = body.size() + 1;
      for (const std::size_t size :
           {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{64}, largest}) {
        CAPTURE(size);
        check(row, read(body, size));
      }
    }
  }
}

TEST_CASE("Text is given out as it arrives", "[lm][stream]") {
  ChatStream stream;
  CHECK(stream.feed(hello) == "Hello");
  CHECK(stream.feed(hello.substr(0, 20)).empty());
  CHECK(stream.feed(hello.substr(20)) == "Hello");
  CHECK_FALSE(stream.complete());
  CHECK(stream.feed(stop).empty());
  CHECK_FALSE(stream.complete());  // usage may follow
  CHECK(stream.feed("data: [DONE]\n\n").empty());
  CHECK(stream.complete());
  CHECK(stream.finish(true).rest.empty());
}

TEST_CASE("A stream that stops anywhere before its end is an error, never a reply", "[lm][stream]") {
  const std::string body = hello + hello + stop;
  const std::size_t whole = body.find("\"stop\"}]}") + 9;
  for (std::size_t size = 0; size < body.size(); ++size) {
    CAPTURE(size);
    const Read result = read(body.substr(0, size), 16);
    REQUIRE(std::holds_alternative<Reply>(result.parsed.result) == (size >= whole));
  }
}

TEST_CASE("A connection that breaks does not matter to a stream that is whole", "[lm][stream]") {
  const LMError broken(Kind::transport, "reset by peer", 0, true);
  CHECK(std::holds_alternative<Reply>(read(hello + stop, 100, broken).parsed.result));
  CHECK(std::holds_alternative<Reply>(read(hello + "data: [DONE]\n\n", 100, broken).parsed.result));
  const Read cut = read(hello, 100, broken);
  REQUIRE(std::holds_alternative<LMError>(cut.parsed.result));
  CHECK_THAT(std::get<LMError>(cut.parsed.result).what(), ContainsSubstring("reset by peer"));
  CHECK(std::holds_alternative<LMError>(read(R"({"choices":[{"message":{"content":"x"}}]})", 100, broken).parsed.result));
}

TEST_CASE("Characters that a server cuts between two chunks are joined", "[lm][stream]") {
  const auto chunk = [](const std::string& text) {
    return "data: {\"choices\":[{\"delta\":{\"content\":\"" + text + "\"}}]}\n\n";
  };
  const std::string body = chunk("a\xF0\x9F") + chunk("\x98\x80 b\xC3") + chunk("\xA4") + chunk("\xFF c\xE2\x82") + stop;
  const Read result = read(body, 5);
  REQUIRE(std::holds_alternative<Reply>(result.parsed.result));
  CHECK(std::get<Reply>(result.parsed.result).content == "a😀 bä\xEF\xBF\xBD c\xEF\xBF\xBD");
  CHECK(result.pieces == std::vector<std::string>{"a", "😀 b", "ä", "\xEF\xBF\xBD c", "\xEF\xBF\xBD"});
}

TEST_CASE("Deep nesting in a stream is an error", "[lm][stream]") {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  const std::string body = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"extra\":" + deep + "}\n\n" + stop;
  CHECK(std::holds_alternative<LMError>(read(body, 10'000).parsed.result));
  CHECK(std::holds_alternative<LMError>(read("data: {\"error\":" + deep + "}\n\n", 10'000).parsed.result));
}

// ---- UTF-8 -----------------------------------------------------------------------------------------------------------------

TEST_CASE("Characters are recognized as Unicode defines them", "[lm][utf8]") {
  for (const char* text : {"a", "ä", "€", "\xED\x9F\xBF", "\xEE\x80\x80", "😀", "\xF4\x8F\xBF\xBF"}) {
    CHECK(character_length(text) == std::string(text).size());
  }
  CHECK(character_length(std::string_view("\0", 1)) == 1);
  for (const char* text : {"", "\x80", "\xC0\x80", "\xC3", "\xC3(", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                           "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82"}) {
    CHECK(character_length(text) == 0);
  }
}

TEST_CASE("Pieces of text are joined wherever they were cut", "[lm][utf8]") {
  const std::string text = "aä€😀\xFF\xC3(\xE2\x82";
  const std::string expected = "aä€😀\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD";
  for (std::size_t a = 0; a <= text.size(); ++a) {
    for (std::size_t b = a; b <= text.size(); ++b) {
      Utf8Joiner joiner;
      const std::vector<std::string> pieces = {joiner.take(text.substr(0, a)), joiner.take(text.substr(a, b - a)),
                                               joiner.take(text.substr(b)), joiner.finish()};
      for (const std::string& piece : pieces) REQUIRE(is_valid(piece));
      REQUIRE(joined(pieces) == expected);
    }
  }
}

TEST_CASE("Bytes that are no text can be hidden in text and shown again", "[lm][utf8]") {
  std::string all = "aä😀";
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string hidden = hide_invalid_bytes(all);
  CHECK(is_valid(hidden));
  CHECK(show_invalid_bytes(hidden) == all);
  CHECK(hide_invalid_bytes("ä") == "ä");
}
