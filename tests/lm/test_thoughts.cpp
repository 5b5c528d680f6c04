// Thoughts in the content of replies. The cases are in thoughts.json.
#include "lm/openai/thoughts.hpp"

#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "lm/openai/protocol.hpp"
#include "lm/openai/stream.hpp"
#include "support/in_pieces.hpp"
#include "support/table.hpp"

using nlohmann::json;
using tgd::lm::Reply;
using tgd::lm::Thoughts;
using tgd::lm::detail::ChatStream;
using tgd::lm::detail::parse_reply;
using tgd::lm::detail::split_thoughts;
using tgd::lm::detail::ThoughtFilter;

namespace {

std::string event(const json& delta, const json& reason = nullptr) {
  const json choice = {{"index", 0}, {"delta", delta}, {"finish_reason", reason}};
  return "data: " + json{{"choices", json::array({choice})}}.dump() + "\n\n";
}

}  // namespace

TEST_CASE("Thoughts are told from answers as thoughts.json says", "[lm][thoughts]") {
  for (const json& row : tgd::test::table("lm/thoughts.json")) {
    DYNAMIC_SECTION(row.at("name").get<std::string>()) {
      const std::string text = row.at("text");
      const std::string answer = row.at("answer");
      const auto split = split_thoughts(text);
      CHECK(split.reasoning == row.value("reasoning", ""));
      CHECK(split.answer == answer);
      if (row.value("late", false)) continue;  // what was given out before a thought's end cannot be taken back
      for (std::size_t length = 1; length <= text.size() + 1; ++length) {
        CAPTURE(length);
        CHECK(tgd::test::in_pieces<ThoughtFilter>(text, length) == answer);
      }
    }
  }
}

TEST_CASE("A reply holds its thoughts apart from its answer", "[lm][thoughts]") {
  const auto read = [](const json& message, const char* reason = "stop", Thoughts thoughts = Thoughts::strip) {
    const json choice = {{"message", message}, {"finish_reason", reason}};
    return parse_reply(json{{"choices", json::array({choice})}}.dump(), true, thoughts).result;
  };
  SECTION("from its content") {
    const Reply reply = std::get<Reply>(read({{"content", "<think>a</think>b"}}));
    CHECK(reply.content == "b");
    CHECK(reply.reasoning == "a");
  }
  SECTION("unless they are to be kept") {
    const Reply reply = std::get<Reply>(read({{"content", "<think>a</think>b"}}, "stop", Thoughts::keep));
    CHECK(reply.content == "<think>a</think>b");
    CHECK(reply.reasoning.empty());
  }
  SECTION("from a field of their own") {
    const std::string field = GENERATE("reasoning_content", "reasoning", "thinking");
    const Reply reply = std::get<Reply>(read({{"content", "b"}, {field, "a"}}));
    CHECK(reply.content == "b");
    CHECK(reply.reasoning == "a");
  }
  SECTION("from parts of the content") {
    const json thinking = {{"type", "thinking"}, {"thinking", json::array({{{"type", "text"}, {"text", "a"}}})}};
    const Reply reply = std::get<Reply>(read({{"content", json::array({thinking, {{"type", "text"}, {"text", "b"}}})}}));
    CHECK(reply.content == "b");
    CHECK(reply.reasoning == "a");
  }
  SECTION("an answer in the field of thoughts is named as one") {
    const auto error = std::get<tgd::LMError>(read({{"content", nullptr}, {"reasoning_content", "billing"}}));
    CHECK_THAT(error.what(),
               Catch::Matchers::ContainsSubstring("\"billing\"") && Catch::Matchers::ContainsSubstring("thought"));
  }
  SECTION("a thought without an end is no answer") {
    const auto error = std::get<tgd::LMError>(read({{"content", "<think>it may be"}}));
    CHECK_THAT(error.what(), Catch::Matchers::ContainsSubstring("it may be"));
  }
  SECTION("one that was cut off while thinking says so") {
    const Reply reply = std::get<Reply>(read({{"content", "<think>it may be"}}, "length"));
    CHECK(reply.content.empty());
    CHECK(reply.reasoning == "it may be");
    CHECK(reply.end() == tgd::lm::ReplyEnd::cut);
  }
}

TEST_CASE("A stream gives out the answer without its thoughts", "[lm][thoughts]") {
  ChatStream stream;
  std::string given = stream.feed(event({{"reasoning_content", "so"}}));
  for (const char* piece : {"<th", "ink>mo", "ney</thi", "nk>\n\nbil", "ling"})
    given += stream.feed(event({{"content", piece}}));
  stream.feed(event(json::object(), "stop"));
  const ChatStream::Finish ending = stream.finish(true);
  CHECK(given + ending.rest == "billing");
  const Reply reply = std::get<Reply>(ending.parsed.result);
  CHECK(reply.content == "billing");
  CHECK(reply.reasoning == "so\n\nmoney");
}
