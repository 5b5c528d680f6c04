// What networks and endpoints do to a client, and that nothing is lost, doubled or left hanging by it.
#include <tgd/lm/openai.hpp>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/chat_calls.hpp"

using namespace std::chrono_literals;
using namespace tgd::test;
using Catch::Matchers::ContainsSubstring;
using tgd::LMError;
using tgd::lm::ChatModel;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Outcome;
using tgd::lm::Request;
using tgd::lm::Usage;
using Kind = LMError::Kind;
using Framing = HttpResponse::Framing;

namespace {

std::string body_with_usage(const std::string& content) {
  nlohmann::json body = nlohmann::json::parse(completion_body(content));
  body["usage"] = {{"prompt_tokens", 10}, {"completion_tokens", 1}};
  return body.dump();
}

}  // namespace

// ---- The way there ---------------------------------------------------------------------------------------------------

TEST_CASE("A name that nobody has is an error that may pass", "[lm][faults][concurrent]") {
  OpenAIOptions options = options_for("http://nobody.invalid/v1");
  options.max_retries = 0;
  options.connect_timeout = 1s;
  OpenAI client(options);
  const LMError error = error_of(client);
  CHECK(error.kind() == Kind::transport);
  CHECK(error.retryable());
  CHECK_THAT(error.what(), ContainsSubstring("http://nobody.invalid/v1/chat/completions: "));
}

TEST_CASE("A connection that is reset is tried again, and then an error", "[lm][faults]") {
  HttpServer server(replies({reset()}));
  OpenAIOptions options = options_for(server.url());
  options.max_retries = 2;
  OpenAI client(options);
  const Outcome outcome = client.try_chat_all({ask("x")}).front();
  CHECK(error_of(outcome).kind() == Kind::transport);
  CHECK(outcome.usage() == Usage{.calls = 1, .attempts = 3});
}

TEST_CASE("A body that stalls ends with the attempt's timeout", "[lm][faults]") {
  HttpResponse stalled = says("half an answer");
  stalled.framing = GENERATE(Framing::length, Framing::chunked, Framing::end_of_stream);
  stalled.stall_after = 20;
  HttpServer server(replies({stalled, says("whole")}));
  OpenAIOptions options = options_for(server.url());
  options.timeout = 300ms;
  SECTION("and is tried again") {
    OpenAI client(options);
    CHECK(client.chat(ask("x")).content == "whole");
    CHECK(client.usage().attempts == 2);
  }
  SECTION("or is an error") {
    options.max_retries = 0;
    OpenAI client(options);
    const LMError error = error_of(client);
    CHECK(error.kind() == Kind::transport);
    CHECK_THAT(error.what(), ContainsSubstring("timed out"));
  }
}

TEST_CASE("A proxy of the environment is used, and the key is not for it where it only connects", "[lm][faults]") {
  HttpServer proxy(replies({says("by proxy")}));
  const char* variable = GENERATE("http_proxy", "https_proxy");
  const bool secure = std::string(variable) == "https_proxy";
  setenv(variable, proxy.url().c_str(), 1);
  {
    OpenAIOptions options = options_for(secure ? "https://model.invalid/v1" : "http://model.invalid/v1");
    options.max_retries = 0;
    OpenAI client(options);
    const Outcome outcome = client.try_chat_all({ask("x")}).front();
    REQUIRE(proxy.request_count() >= 1);
    const HttpRequest seen = proxy.requests()[0];
    if (secure) {
      CHECK(seen.method == "CONNECT");
      CHECK(seen.target == "model.invalid:443");
      CHECK(seen.headers.count("authorization") == 0);
      CHECK(seen.body.empty());
    } else {
      CHECK(seen.target == "http://model.invalid/v1/chat/completions");
      CHECK(outcome.value().content == "by proxy");
    }
  }
  unsetenv(variable);
}

// ---- Replies that are too much or too little -------------------------------------------------------------------------

TEST_CASE("Long replies are bounded by an option", "[lm][faults]") {
  HttpResponse response = says(std::string(11'000'000, 'x'));
  response.framing = Framing::chunked;
  response.chunk_size = 100'000;
  HttpServer server(replies({response}));
  OpenAIOptions options = options_for(server.url());
  SECTION("within it") {
    OpenAI client(options);
    CHECK(client.chat(ask("x")).content.size() == 11'000'000);
  }
  SECTION("beyond it") {
    options.max_reply_bytes = 10'000'000;
    OpenAI client(options);
    const LMError error = error_of(client);
    CHECK_FALSE(error.retryable());
    CHECK_THAT(error.what(), ContainsSubstring("longer than 10000000 bytes"));
  }
}

TEST_CASE("A reply without text says why, and its tokens are counted", "[lm][faults]") {
  const auto [message, kind, reason] = GENERATE(table<std::string, Kind, std::string>({
      {R"({"content":null,"refusal":"I will not."})", Kind::refused, "I will not."},
      {R"({"content":null,"tool_calls":[{"id":"1","type":"function"}]})", Kind::empty, "tool"},
  }));
  HttpServer server(replies({{.body = R"({"choices":[{"message":)" + message + R"(}],"usage":{"prompt_tokens":9}})"}}));
  OpenAI client(options_for(server.url()));
  const Outcome outcome = client.try_chat_all({ask("x")}).front();
  CHECK(error_of(outcome).kind() == kind);
  CHECK_THAT(outcome.error_message(), ContainsSubstring(reason));
  CHECK(outcome.usage() == Usage{.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 9});
}

TEST_CASE("Arguments of reasoning models and for several replies travel untouched", "[lm][faults]") {
  ChatServer server(tgd::lm::Stub::answering_in_full([](const Request& request) {
    return tgd::lm::Reply{.content = request.args.dump(), .alternatives = {"b", "c"}};
  }));
  OpenAI client(options_for(server.url()));
  const tgd::Json args{{"n", 3}, {"max_completion_tokens", 50}, {"reasoning_effort", "low"}};
  const tgd::lm::Reply reply = client.chat(ask("x").messages, args);
  CHECK(tgd::Json::parse(reply.content) == args.with("model", "m"));
  CHECK(reply.alternatives == std::vector<std::string>{"b", "c"});
}

// ---- Accounts --------------------------------------------------------------------------------------------------------

TEST_CASE("Whatever happens, each call ends once and the accounts agree", "[lm][faults]") {
  const bool rude = GENERATE(false, true);
  std::atomic<std::int64_t> granted = 0;
  HttpServer server([&](const HttpRequest& request) -> HttpResponse {
    const bool is_busy = request.number < 27;  // for ever it would slow the client down, and the test
    switch (request.number % 9) {
      case 1:
        return {.status = 500};
      case 2:
        return rude ? hang_up() : HttpResponse{.status = is_busy ? 503 : 502};
      case 3:
        return rude ? reset() : HttpResponse{.body = "{broken"};
      case 4:
        return {.body = completion_body("cut"), .cut_after = 30};
      case 5:
        ++granted;
        return {.body = R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":1}})"};
      case 6:
        return is_busy ? HttpResponse{.status = 429, .headers = {{"Retry-After-Ms", "1"}}} : HttpResponse{.status = 500};
      case 7:
        return {.status = 400, .body = error_body("no")};
      default:
        ++granted;
        return {.body = body_with_usage(tgd::test::parse_chat_request(request.body).messages[0].content)};
    }
  });
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = 32;
  OpenAI client(options);
  constexpr int count = 400;
  std::vector<std::atomic<int>> ended(count);
  std::vector<Outcome> outcomes(count, Outcome(tgd::lm::Reply{}));
  std::atomic<int> left = count;
  std::promise<void> all;
  for (int i = 0; i < count; ++i) {
    const auto take = [&, at = static_cast<std::size_t>(i)](Outcome outcome) {
      outcomes[at] = std::move(outcome);
      ++ended[at];
      if (--left == 0) all.set_value();
    };
    if (i % 2 == 0) {
      client.start(ask(std::to_string(i)), take);
    } else {
      client.start_stream(
          ask(std::to_string(i)), [](std::string_view) {}, take);
    }
  }
  all.get_future().wait();
  Usage sum;
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(ended[i] == 1);
    sum += outcomes[i].usage();
    if (outcomes[i].ok()) CHECK(outcomes[i].value().content == std::to_string(i));
  }
  CHECK(client.usage() == sum);
  CHECK(sum.calls == count);
  // What meets a kept connection that ends without a byte is sent once more by libcurl itself.
  const auto requests = static_cast<std::int64_t>(server.request_count());
  CHECK((rude ? sum.attempts <= requests : sum.attempts == requests));
  CHECK(sum.prompt_tokens == 10 * granted);
  CHECK(sum.completion_tokens == granted);
}

// ---- The end ---------------------------------------------------------------------------------------------------------

TEST_CASE("A client ends at once with hundreds of calls running, queued and waiting, each ended exactly once", "[lm][faults]") {
  HttpServer server([](const HttpRequest& request) -> HttpResponse {
    if (request.number % 3 == 0) return {.status = 500, .headers = {{"Retry-After", "100"}}};
    if (request.number % 3 == 1) return silence();
    HttpResponse stalled = {.body = event(R"({"choices":[{"index":0,"delta":{"content":"x"}}]})") + "more"};
    stalled.stall_after = stalled.body.size() - 4;
    return stalled;
  });
  constexpr std::size_t count = 600;
  std::vector<std::atomic<int>> ended(count);
  std::atomic<std::int64_t> attempts = 0;
  std::atomic<int> cancelled = 0;
  {
    OpenAIOptions options = options_for(server.url());
    options.max_in_flight = 100;
    OpenAI client(options);
    for (std::size_t i = 0; i < count; ++i) {
      Request request = ask("x");
      if (i % 5 == 0) request.options.deadline = std::chrono::steady_clock::now() + 1h;
      const auto take = [&, i](const Outcome& outcome) {
        ++ended[i];
        attempts += outcome.usage().attempts;
        if (error_of(outcome).kind() == Kind::cancelled) ++cancelled;
      };
      if (i % 2 == 0) {
        client.start(request, take);
      } else {
        client.start_stream(
            request, [](std::string_view) {}, take);
      }
    }
    if (GENERATE(true, false)) REQUIRE(server.wait_for_requests(120));
  }
  for (const std::atomic<int>& once : ended) REQUIRE(once == 1);
  CHECK(cancelled == count);
  CHECK(attempts >= static_cast<std::int64_t>(server.request_count()));
}

// ---- Every request that leaves is an attempt -----------------------------------------------------------------------------

TEST_CASE("A request that its kept connection lost is sent again only as an attempt that counts", "[lm][faults]") {
  // Each connection answers once and breaks under the next request, which it has read.
  const auto broken = GENERATE(as<HttpResponse (*)()>(), hang_up, reset);
  std::mutex mutex;
  std::map<std::size_t, int> served;
  HttpServer server([&](const HttpRequest& request) {
    const std::lock_guard lock(mutex);
    return ++served[request.connection] % 2 == 1 ? says("hello") : broken();
  });
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = 2;
  SECTION("with retries") {
    OpenAI client(options);
    for (int i = 0; i < 30; ++i) CHECK(client.chat(ask("x")).content == "hello");
    CHECK(client.usage().calls == 30);
    CHECK(client.usage().attempts > 30);
    CHECK(static_cast<std::int64_t>(server.request_count()) == client.usage().attempts);
  }
  SECTION("without") {
    options.max_retries = 0;
    OpenAI client(options);
    CHECK(client.chat(ask("x")).content == "hello");
    const LMError error = error_of(client);
    CHECK(error.kind() == Kind::transport);
    CHECK(error.retryable());
    CHECK_THAT(error.what(), ContainsSubstring("the connection, which had been used before, ended without an answer"));
    CHECK(server.request_count() == 2);
    CHECK(client.usage().attempts == 2);
  }
}

TEST_CASE("Figures that cannot be count as unknown, and that is said once", "[lm][faults]") {
  const std::string figure = GENERATE("1e26", "1e300", "-5", "18446744073709551615");
  HttpResponse response = says("hello");
  response.body =
      R"({"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":)" + figure + R"(,"completion_tokens":1}})";
  HttpServer server(replies({response}));
  OpenAIOptions options = options_for(server.url());
  std::vector<std::string> notices;
  options.on_notice = [&](const tgd::Notice& notice) { notices.push_back(notice.text); };
  {
    OpenAI client(options);
    for (int i = 0; i < 3; ++i) CHECK(client.chat(ask("x")).content == "hello");
    CHECK(without_estimates(client.usage()) == Usage{.calls = 3, .attempts = 3});
  }
  REQUIRE(notices.size() == 1);
  CHECK_THAT(notices[0], ContainsSubstring("prompt_tokens") && ContainsSubstring("unknown"));
}
