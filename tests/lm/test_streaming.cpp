// Streamed calls against a real server on the loopback interface.
#include <tgd/lm/openai.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/chat_calls.hpp"

using namespace std::chrono_literals;
using namespace tgd::test;
using Catch::Matchers::ContainsSubstring;
using tgd::Json;
using tgd::LMError;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Outcome;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::lm::Usage;
using Kind = LMError::Kind;
using Framing = HttpResponse::Framing;

namespace {

std::string piece(const std::string& text, const std::string& finish_reason = "") {
  const nlohmann::json reason = finish_reason.empty() ? nlohmann::json() : nlohmann::json(finish_reason);
  return event(nlohmann::json{{"choices", {{{"index", 0}, {"delta", {{"content", text}}}, {"finish_reason", reason}}}}}.dump());
}

HttpResponse streams(std::string body) {
  return {.headers = {{"Content-Type", "text/event-stream"}}, .body = std::move(body), .framing = Framing::chunked};
}

struct Streamed {
  std::vector<std::string> pieces;
  Outcome outcome;

  std::string text() const {
    std::string joined;
    for (const std::string& one : pieces) joined += one;
    return joined;
  }
};

Streamed stream(OpenAI& client, Request request) {
  const auto pieces = std::make_shared<std::vector<std::string>>();
  std::promise<Outcome> promise;
  client.start_stream(
      std::move(request), [pieces](std::string_view text) { pieces->emplace_back(text); },
      [&](Outcome outcome) { promise.set_value(std::move(outcome)); });
  Outcome outcome = promise.get_future().get();
  return {*pieces, std::move(outcome)};
}

}  // namespace

TEST_CASE("A streamed reply comes in pieces and as a whole, with usage and alternatives", "[lm][streaming][concurrent]") {
  const Reply whole{.content = "one two three",
                    .finish_reason = "length",
                    .usage = {.reported = 1, .prompt_tokens = 10, .completion_tokens = 5},
                    .alternatives = {"four five"}};
  ChatServer server(Stub::answering_in_full([&](const Request&) { return whole; }));
  OpenAI client(options_for(server.url()));
  const Streamed result = stream(client, ask("x"));
  CHECK(result.text() == "one two three");
  const Reply reply = result.outcome.value();
  CHECK(reply.content == "one two three");
  CHECK(reply.finish_reason == "length");
  CHECK(reply.model == "m");
  CHECK(reply.alternatives == std::vector<std::string>{"four five"});
  CHECK(reply.usage == Usage{.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 10, .completion_tokens = 5});
  CHECK(client.usage() == reply.usage);
}

TEST_CASE("A stream asks for events and for usage", "[lm][streaming]") {
  HttpServer server(replies({streams(piece("a", "stop") + event("[DONE]"))}));
  OpenAI client(options_for(server.url()));
  Request request = ask("x");
  SECTION("by itself") {
    stream(client, request);
    CHECK(Json::parse(server.requests()[0].body).value()["stream_options"]["include_usage"] == true);
  }
  SECTION("or as the arguments say") {
    request.args = {{"stream_options", Json{{"other", 1}}}};
    stream(client, request);
    CHECK(Json::parse(server.requests()[0].body).value()["stream_options"] == nlohmann::ordered_json{{"other", 1}});
  }
  CHECK(Json::parse(server.requests()[0].body).value()["stream"] == true);
  CHECK_THAT(server.requests()[0].headers.at("accept"), ContainsSubstring("text/event-stream"));
  CHECK(server.requests()[0].headers.count("accept-encoding") == 0);
}

TEST_CASE("chat_stream gives pieces and returns the reply", "[lm][streaming]") {
  ChatServer server(echo());
  OpenAI client(options_for(server.url()));
  std::string text;
  CHECK(client.chat_stream(ask("a b c"), [&](std::string_view piece) { text += piece; }).content == "re: a b c");
  CHECK(text == "re: a b c");
}

TEST_CASE("A stream is read whatever its content type and framing", "[lm][streaming]") {
  const std::string type = GENERATE("", "text/plain", "application/json", "text/event-stream; charset=utf-8");
  const Framing framing = GENERATE(Framing::length, Framing::chunked, Framing::end_of_stream);
  HttpResponse response = streams(piece("hä") + piece("lló", "stop") + event("[DONE]"));
  response.headers = {{"Content-Type", type}};
  response.framing = framing;
  response.chunk_size = 1;
  HttpServer server(replies({response}));
  OpenAI client(options_for(server.url()));
  const Streamed result = stream(client, ask("x"));
  CHECK(result.text() == "hälló");
  CHECK(result.outcome.value().content == "hälló");
}

TEST_CASE("A plain JSON completion is as good as a stream", "[lm][streaming]") {
  HttpServer server(replies({says("all at once")}));
  OpenAI client(options_for(server.url()));
  const Streamed result = stream(client, ask("x"));
  CHECK(result.pieces == std::vector<std::string>{"all at once"});
  CHECK(result.outcome.value().content == "all at once");
}

TEST_CASE("Text is given out while the stream goes on", "[lm][streaming]") {
  HttpResponse response = streams(piece("early") + piece("late", "stop"));
  response.stall_after = piece("early").size();
  HttpServer server(replies({response}));
  OpenAI client(options_for(server.url()));
  std::promise<std::string> first;
  std::promise<Outcome> ended;
  std::stop_source stop;
  Request request = ask("x");
  request.stop = stop.get_token();
  client.start_stream(
      request, [&](std::string_view text) { first.set_value(std::string(text)); },
      [&](Outcome outcome) { ended.set_value(std::move(outcome)); });
  CHECK(first.get_future().get() == "early");
  stop.request_stop();
  const Outcome outcome = ended.get_future().get();
  CHECK(error_of(outcome).kind() == Kind::cancelled);
  CHECK(without_estimates(outcome.usage()) == Usage{.calls = 1, .attempts = 1});
}

TEST_CASE("A stream that stays open after its end holds nobody up", "[lm][streaming]") {
  HttpResponse response = streams(piece("x", "stop") + event("[DONE]") + event("never sent"));
  response.stall_after = response.body.size() - 5;
  HttpServer server(replies({response}));
  OpenAI client(options_for(server.url()));
  const Streamed result = stream(client, ask("x"));
  CHECK(result.outcome.value().content == "x");
  CHECK(without_estimates(client.usage()) == Usage{.calls = 1, .attempts = 1});
}

TEST_CASE("Connections of streams are used again", "[lm][streaming]") {
  ChatServer server(echo());
  OpenAI client(options_for(server.url()));
  for (int i = 0; i < 10; ++i) CHECK(stream(client, ask("x y")).outcome.value().content == "re: x y");
  CHECK(server.http().connections() == 1);
}

// ---- What goes wrong -------------------------------------------------------------------------------------------------

TEST_CASE("A stream that ends without an end is an error", "[lm][streaming]") {
  HttpResponse response = streams(piece("half a"));
  SECTION("in order") { response.framing = GENERATE(Framing::length, Framing::chunked, Framing::end_of_stream); }
  SECTION("cut off") {
    response.body += piece("b");
    response.cut_after = piece("half a").size() + 10;
  }
  HttpServer server(replies({response, says("never asked for")}));
  OpenAI client(options_for(server.url()));
  const Streamed result = stream(client, ask("x"));
  CHECK(result.pieces == std::vector<std::string>{"half a"});
  const LMError error = error_of(result.outcome);
  CHECK(error.kind() == Kind::transport);
  CHECK(error.retryable());
  CHECK_THAT(error.what(), ContainsSubstring("part of the reply was given out"));
  CHECK(server.request_count() == 1);
}

TEST_CASE("A stream is tried again while nothing was given out", "[lm][streaming]") {
  HttpResponse failure = streams("");
  SECTION("a status") { failure = {.status = 503}; }
  SECTION("nothing") {}
  SECTION("hung up") { failure = hang_up(); }
  SECTION("comments and a role") { failure.body = ": ping\n\n" + piece(""); }
  SECTION("an error in the stream that may pass") { failure.body = event(error_body("busy", "server_error")); }
  SECTION("an event that is cut") { failure.body = piece("never seen").substr(0, 30); }
  HttpServer server(replies({failure, streams(piece("at last", "stop"))}));
  OpenAI client(options_for(server.url()));
  const Streamed result = stream(client, ask("x"));
  CHECK(result.pieces == std::vector<std::string>{"at last"});
  CHECK(result.outcome.value().usage.attempts == 2);
}

TEST_CASE("An error in the middle of a stream ends the call and keeps its usage", "[lm][streaming]") {
  const std::string usage = event(R"({"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}})");
  HttpServer server(replies({streams(piece("half") + usage + event(error_body("broken", "server_error")))}));
  OpenAI client(options_for(server.url()));
  const Streamed result = stream(client, ask("x"));
  CHECK_THAT(result.outcome.error_message(), ContainsSubstring("broken"));
  CHECK(result.text() == "half");
  const Usage expected{.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 7, .completion_tokens = 2};
  CHECK(without_estimates(result.outcome.usage()) == expected);
  CHECK(without_estimates(client.usage()) == expected);
}

TEST_CASE("An endpoint that does not take stream_options is asked without", "[lm][streaming]") {
  HttpServer server([](const HttpRequest& request) {
    if (request.body.find("stream_options") == std::string::npos) return streams(piece("x", "stop"));
    return HttpResponse{.status = 400, .body = error_body("Unrecognized request argument supplied: stream_options")};
  });
  OpenAIOptions options = options_for(server.url());
  options.max_retries = 0;
  OpenAI client(options);
  CHECK(stream(client, ask("x")).outcome.value().usage.attempts == 2);
  CHECK(stream(client, ask("x")).outcome.value().usage.attempts == 1);
  CHECK(Json::parse(server.requests()[1].body).value()["messages"][0]["content"] == "x");

  SECTION("but not when they are the caller's own") {
    Request request = ask("x");
    request.args = {{"stream_options", Json{{"include_usage", true}}}};
    CHECK(error_of(stream(client, request).outcome).status() == 400);
  }
}

TEST_CASE("What a reader throws ends the call with that error", "[lm][streaming]") {
  ChatServer server(echo());
  OpenAI client(options_for(server.url()));
  int pieces = 0;
  CHECK_THROWS_WITH(client.chat_stream(ask("a b c"),
                                       [&](std::string_view) {
                                         ++pieces;
                                         throw std::runtime_error("enough");
                                       }),
                    "enough");
  CHECK(pieces == 1);
  CHECK(client.usage().attempts == 1);
  CHECK(client.chat(ask("y")).content == "re: y");
}

TEST_CASE("A stream that is too long is not read to its end", "[lm][streaming]") {
  std::string body;
  for (int i = 0; i < 100; ++i) body += piece("0123456789");
  HttpServer server(replies({streams(body + event("[DONE]"))}));
  OpenAIOptions options = options_for(server.url());
  options.max_reply_bytes = 2000;
  OpenAI client(options);
  const Streamed result = stream(client, ask("x"));
  CHECK_THAT(result.outcome.error_message(), ContainsSubstring("longer than 2000 bytes"));
  CHECK(server.request_count() == 1);
}

TEST_CASE("A reader may use and even destroy the client", "[lm][streaming]") {
  ChatServer server(echo());
  auto client = std::make_unique<OpenAI>(options_for(server.url()));
  std::promise<Outcome> ended;
  std::promise<Outcome> other;
  client->start_stream(
      ask("a b c"),
      [&](std::string_view) {
        if (!client) return;
        client->start(ask("y"), [&](Outcome outcome) { other.set_value(std::move(outcome)); });
        client.reset();
      },
      [&](Outcome outcome) { ended.set_value(std::move(outcome)); });
  // The reply may have been complete already, or is cancelled now; but both end.
  ended.get_future().get();
  CHECK(error_of(other.get_future().get()).kind() == Kind::cancelled);
}

TEST_CASE("A call that is not to be streamed says how to do it", "[lm][streaming]") {
  OpenAI client(options_for("http://127.0.0.1:1"));
  CHECK_THROWS_WITH(client.chat(ask("x").messages, {{"stream", true}}), ContainsSubstring("chat_stream"));
}
