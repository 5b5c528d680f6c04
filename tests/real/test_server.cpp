// A real server, at $TGD_REAL_URL: llama.cpp with 4 slots and a small model; see run.sh. What it does otherwise than the servers of
// the other tests stands in their tables.
#include <cstdlib>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/openai.hpp>

#include "catch.hpp"

using namespace tgd;

namespace {

std::string url() {
  const char* set = std::getenv("TGD_REAL_URL");
  if (set == nullptr) throw StateError("TGD_REAL_URL is not set; tests/real/run.sh starts a server and sets it");
  return set;
}

lm::OpenAIOptions options(const std::string& args = R"({"temperature": 0, "max_tokens": 8})") {
  return {.model = "small", .base_url = url(), .args = Json::parse(args)};
}

const std::vector<lm::Message> greeting{{"system", "You are polite."}, {"user", "Say hello."}};

}  // namespace

TEST_CASE("a reply of a real server has text, the word for its end and figures that add up") {
  lm::OpenAI model(options());
  const lm::Reply reply = model.chat(greeting);
  CHECK_FALSE(reply.content.empty());
  CHECK(reply.finish_reason == "length");
  CHECK(reply.end() == lm::ReplyEnd::cut);
  CHECK(reply.usage.reported == 1);
  CHECK(reply.usage.completion_tokens == 8);
  CHECK(reply.usage.prompt_tokens > 5);
  CHECK(reply.usage.cached_prompt_tokens <= reply.usage.prompt_tokens);
  CHECK(model.usage().prompt_tokens == reply.usage.prompt_tokens);
}

TEST_CASE("a reply of a real server that ends by itself is whole") {
  lm::OpenAI model(options(R"({"temperature": 0, "max_tokens": 30, "stop": [" "]})"));
  const lm::Reply reply = model.chat(greeting);
  CHECK(reply.finish_reason == "stop");
  CHECK(reply.end() == lm::ReplyEnd::whole);
  CHECK(reply.content.find(' ') == std::string::npos);
}

TEST_CASE("a real server streams the text that it gives whole, piece by piece, with figures") {
  lm::OpenAI model(options());
  std::vector<std::string> pieces;
  const lm::Reply streamed =
      model.chat_stream({.messages = greeting}, [&](std::string_view piece) { pieces.emplace_back(piece); });
  CHECK(pieces.size() > 2);
  std::string joined;
  for (const std::string& piece : pieces) joined += piece;
  CHECK(joined == streamed.content);
  CHECK(streamed.content == model.chat(greeting).content);
  CHECK(streamed.finish_reason == "length");
  CHECK(streamed.usage.completion_tokens == 8);
}

TEST_CASE("a real server gives the log-probabilities of a reply's tokens, whole and streamed") {
  lm::OpenAIOptions asking = options();
  asking.args = asking.args.merged(lm::logprob_args(2));
  lm::OpenAI model(asking);
  const lm::Reply whole = model.chat(greeting);
  const lm::Reply streamed = model.chat_stream({.messages = greeting}, [](std::string_view) {});
  for (const lm::Reply& reply : {whole, streamed}) {
    REQUIRE(reply.logprobs.size() == 8);
    std::string joined;
    for (const lm::TokenLogprob& token : reply.logprobs) {
      joined += token.token;
      CHECK(token.logprob <= 0);
      CHECK(token.alternatives.size() >= 2);  // 20 where a stream of this server was asked for fewer
    }
    CHECK(joined == reply.content);
  }
}

TEST_CASE("a real server tells its window, and a request fits it or does not as that says") {
  lm::OpenAI model(options());
  const auto window = model.context_window();
  REQUIRE(window);
  CHECK(*window >= 1024);
  CHECK(*window <= 8192);
}

TEST_CASE("a real server gives as many choices as it is asked for, and counts the tokens of all") {
  lm::OpenAI model(options(R"({"temperature": 1, "seed": 3, "max_tokens": 4, "n": 3})"));
  const lm::Reply reply = model.chat(greeting);
  CHECK(reply.alternatives.size() == 2);
  CHECK(reply.usage.completion_tokens >= 4);
}

TEST_CASE("a real server holds a reply to a schema") {
  lm::OpenAI model(options(R"({"temperature": 0, "max_tokens": 60, "response_format": {"type": "json_schema", "json_schema":
      {"name": "label", "strict": true, "schema": {"type": "object", "properties": {"label": {"enum": ["praise", "complaint"]}},
      "required": ["label"], "additionalProperties": false}}}})"));
  const lm::Reply reply = model.chat({{"user", "Order 7 is broken. Which label?"}});
  const auto json = nlohmann::json::parse(reply.content, nullptr, false);
  REQUIRE(json.is_object());
  CHECK(json.size() == 1);
  CHECK((json["label"] == "praise" || json["label"] == "complaint"));
}

TEST_CASE("a real server repeats itself at temperature 0") {
  lm::OpenAI still(options(R"({"temperature": 0, "max_tokens": 12})"));
  CHECK(still.chat(greeting).content == still.chat(greeting).content);
}

TEST_CASE("a real server with 4 slots answers 8 requests at once, in their order") {
  lm::OpenAI model(options(R"({"temperature": 0, "max_tokens": 3})"));
  std::vector<lm::Request> requests;
  for (int i = 0; i < 8; ++i) requests.push_back({.messages = {{"user", "Count on from " + std::to_string(i) + "."}}});
  const std::vector<lm::Reply> replies = model.chat_all(requests);
  REQUIRE(replies.size() == 8);
  for (const lm::Reply& reply : replies) CHECK(reply.usage.completion_tokens <= 3);
  CHECK(model.usage().attempts == 8);
  CHECK(model.usage().reported == 8);
}

TEST_CASE("a call to a real server that is cancelled leaves its slot to others") {
  lm::OpenAI model(options(R"({"temperature": 0, "max_tokens": 1500, "ignore_eos": true})"));
  std::vector<lm::OpenAI*> models(5, &model);
  for (lm::OpenAI* each : models) {  // more than there are slots
    std::stop_source stop;
    try {
      each->chat_stream({.messages = greeting, .stop = stop.get_token()}, [&](std::string_view) { stop.request_stop(); });
      FAIL("the reply was given although it was stopped");
    } catch (const LMError& error) {
      CHECK(error.kind() == LMError::Kind::cancelled);
    }
  }
  CHECK_FALSE(lm::OpenAI(options()).chat(greeting).content.empty());
}

TEST_CASE("a request beyond the window of a real server is refused as too long, at once") {
  lm::OpenAI model(options());
  std::string text;
  for (int i = 0; i < 9000; ++i) text += "word ";
  try {
    model.chat({{"user", text}});
    FAIL("9000 words fit");
  } catch (const LMError& error) {
    CHECK(error.kind() == LMError::Kind::too_long);
    CHECK(error.status() == 400);
    CHECK_FALSE(error.retryable());
  }
  CHECK(model.usage().attempts == 1);
}

TEST_CASE("a real server that has one model answers whatever name it is called, and says which one it is") {
  lm::OpenAIOptions wrong = options(R"({"temperature": 0, "max_tokens": 2})");
  wrong.model = "no-such-model";
  const lm::Reply reply = lm::OpenAI(wrong).chat(greeting);
  CHECK_FALSE(reply.content.empty());
  CHECK_FALSE(reply.model.empty());
  CHECK(reply.model != "no-such-model");
}

TEST_CASE("arguments that a real server does not take are named, and tried once") {
  for (const char* args : {R"({"response_format": {"type": "nonsense"}})", R"({"max_tokens": "many"})"}) {
    lm::OpenAI model(options(args));
    try {
      model.chat(greeting);
      FAIL(args);
    } catch (const LMError& error) {
      CHECK(error.status() == 400);
      const std::string message = error.what();
      CHECK((message.find("response_format") != std::string::npos || message.find("max_tokens") != std::string::npos));
    }
    CHECK(model.usage().attempts == 1);
  }
}

TEST_CASE("a path that a real server does not have is a 404 that says so") {
  lm::OpenAIOptions wrong = options();
  wrong.base_url += "/nowhere/v1";
  try {
    lm::OpenAI(wrong).chat(greeting);
    FAIL("it answered");
  } catch (const LMError& error) {
    CHECK(error.status() == 404);
  }
}
