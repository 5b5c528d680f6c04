// Marks of a model's own language that a server leaves at the end of a reply. The cases are in end_marks.json.
#include "lm/openai/end_marks.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/notice.hpp>

#include "catch.hpp"
#include "support/chat_calls.hpp"
#include "support/in_pieces.hpp"
#include "support/table.hpp"

using nlohmann::json;
using tgd::lm::detail::EndMarkFilter;
using tgd::lm::detail::take_end_marks;

TEST_CASE("Marks that end a turn are taken off a text as end_marks.json says, whole or in pieces", "[lm][end_marks]") {
  for (const json& row : tgd::test::table("lm/end_marks.json")) {
    DYNAMIC_SECTION(row.at("name").get<std::string>()) {
      const std::string text = row.at("text");
      const std::string answer = row.at("answer");
      std::string whole = text;
      CHECK(take_end_marks(whole) == row.value("mark", ""));
      CHECK(whole == answer);
      for (std::size_t length = 1; length <= text.size() + 1; ++length) {
        CAPTURE(length);
        CHECK(tgd::test::in_pieces<EndMarkFilter>(text, length) == answer);
      }
    }
  }
}

TEST_CASE("A reply has no mark at its end, whole or streamed, and that is told once", "[lm][end_marks][concurrent]") {
  std::vector<tgd::Notice> notices;
  const bool streams = GENERATE(false, true);
  tgd::test::HttpServer server([&](const tgd::test::HttpRequest& request) -> tgd::test::HttpResponse {
    if (request.body.find("\"stream\":true") == std::string::npos) return tgd::test::says("billing\n<|im_end|>");
    std::string body;
    for (const char* piece : {"bil", "ling\n", "<|im_", "end|>"})
      body += tgd::test::event(json{{"choices", {{{"index", 0}, {"delta", {{"content", piece}}}}}}}.dump());
    body += tgd::test::event(json{{"choices", {{{"index", 0}, {"delta", json::object()}, {"finish_reason", "stop"}}}}}.dump());
    return {.headers = {{"Content-Type", "text/event-stream"}}, .body = body + tgd::test::event("[DONE]")};
  });
  tgd::lm::OpenAIOptions options = tgd::test::options_for(server.url());
  options.on_notice = [&](const tgd::Notice& notice) { notices.push_back(notice); };
  tgd::lm::OpenAI client(options);
  for (int i = 0; i < 2; ++i) {
    std::string given;
    const tgd::lm::Reply reply = streams
                                     ? client.chat_stream(tgd::test::ask("x"), [&](std::string_view text) { given += text; })
                                     : client.chat(tgd::test::ask("x"));
    CHECK(reply.content == "billing");
    if (streams) CHECK(given == "billing");
  }
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].kind == tgd::Notice::Kind::end_marks);
  CHECK_THAT(notices[0].text, Catch::Matchers::ContainsSubstring("<|im_end|>"));
}
