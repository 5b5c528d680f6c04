// What a single call may set for itself: headers, query, timeout and deadline.
#include <tgd/lm/openai.hpp>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/chat_calls.hpp"

using namespace std::chrono_literals;
using namespace tgd::test;
using Catch::Matchers::ContainsSubstring;
using tgd::LMError;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Outcome;
using tgd::lm::Request;
using tgd::lm::Usage;
using Kind = LMError::Kind;
using Clock = std::chrono::steady_clock;

// ---- Headers and query -----------------------------------------------------------------------------------------------

TEST_CASE("Headers of a call go before those of the model, in whatever case", "[lm][call_options][concurrent]") {
  HttpServer server(replies({says("x")}));
  OpenAIOptions options = options_for(server.url());
  options.headers = {{"X-Title", "all"}, {"X-Kept", "kept"}};
  OpenAI client(options);
  Request request = ask("x");
  request.options.headers = {{"x-title", "one"}, {"AUTHORIZATION", "Bearer other-test-key"}, {"X-Empty", ""}};
  client.chat(request);
  client.chat(ask("x"));

  const auto first = server.requests()[0].headers;
  CHECK(first.at("x-title") == "one");
  CHECK(first.at("x-kept") == "kept");
  CHECK(first.at("authorization") == "Bearer other-test-key");
  CHECK(first.at("content-type") == "application/json");
  CHECK(first.at("x-empty").empty());
  const auto second = server.requests()[1].headers;
  CHECK(second.at("x-title") == "all");
  CHECK(second.at("authorization") == "Bearer test-key");
  CHECK(second.count("x-empty") == 0);
}

TEST_CASE("A call's own headers and query stay with its retries", "[lm][call_options]") {
  HttpServer server(replies({{.status = 503}, says("x")}));
  OpenAI client(options_for(server.url()));
  Request request = ask("x");
  request.options.headers = {{"X-Trace", "7"}};
  request.options.query = {{"a", "b"}};
  client.chat(request);
  CHECK(server.requests()[1].headers.at("x-trace") == "7");
  CHECK(server.requests()[1].target == "/v1/chat/completions?a=b");
}

TEST_CASE("Parts of the query are escaped and added to what is there", "[lm][call_options]") {
  HttpServer server(replies({says("x")}));
  OpenAIOptions options = options_for(server.url() + "/v1?code=a%20b");
  options.query = {{"tenant", "a b"}};
  OpenAI client(options);
  Request request = ask("x");
  request.options.query = {{"q&=", "ä/?#"}, {"empty", ""}};
  client.chat(request);
  client.chat(ask("x"));
  CHECK(server.requests()[0].target == "/v1/chat/completions?code=a%20b&tenant=a%20b&q%26%3D=%C3%A4%2F%3F%23&empty=");
  CHECK(server.requests()[1].target == "/v1/chat/completions?code=a%20b&tenant=a%20b");
}

TEST_CASE("A version in the model's query is the version of the protocol", "[lm][call_options]") {
  OpenAIOptions options = options_for("https://host/openai/deployments/d");
  options.query = {{"api-version", "2024-06-01"}};
  CHECK(OpenAI(options).url() == "https://host/openai/deployments/d/chat/completions?api-version=2024-06-01");
}

TEST_CASE("Options of a call that cannot be sent end it through its callback", "[lm][call_options]") {
  HttpServer server(replies({says("x")}));
  OpenAI client(options_for(server.url()));
  Request request = ask("x");
  std::string reason;
  SECTION("a header that forges another one") {
    request.options.headers = {{"X-A", "test-secret\r\nX-B: y"}};
    reason = "X-A";
  }
  SECTION("a header without a name") {
    request.options.headers = {{"", "x"}};
    reason = "not the name of an HTTP header";
  }
  SECTION("a query without a name") {
    request.options.query = {{"", "x"}};
    reason = "no name";
  }
  SECTION("a timeout of nothing") {
    request.options.timeout = 0ms;
    reason = "CallOptions::timeout must be more than 0, but is 0 ms";
  }
  const Outcome outcome = client.try_chat_all({request}).front();
  CHECK_THROWS_AS(Outcome(outcome).value(), tgd::ValueError);
  CHECK_THAT(outcome.error_message(), ContainsSubstring(reason) && !ContainsSubstring("test-secret"));
  CHECK(without_estimates(outcome.usage()) == Usage{.calls = 1});
  CHECK(server.request_count() == 0);
}

TEST_CASE("Secrets of a call stay out of its errors", "[lm][call_options]") {
  HttpServer server([](const HttpRequest& request) {
    return HttpResponse{.status = 400, .body = request.headers.at("x-api-key") + " at " + request.target};
  });
  OpenAI client(options_for(server.url()));
  Request request = ask("x");
  request.options.headers = {{"X-Api-Key", "third-test-secret"}};
  request.options.query = {{"sig", "fourth-test-secret"}};
  const std::string message = client.try_chat_all({request}).front().error_message();
  CHECK_THAT(message, ContainsSubstring("*** at /v1/chat/completions?sig=***"));
}

// ---- Time --------------------------------------------------------------------------------------------------------------

TEST_CASE("A call's timeout goes before the model's", "[lm][call_options]") {
  HttpServer server(replies({silence(), says("late"), says("late")}));
  OpenAIOptions options = options_for(server.url());
  options.max_retries = 0;
  OpenAI client(options);
  Request request = ask("x");
  request.options.timeout = 50ms;
  const LMError error = error_of(client.try_chat_all({request}).front());
  CHECK(error.kind() == Kind::transport);
  CHECK_THAT(error.what(), ContainsSubstring("timed out"));
  CHECK(client.chat(ask("x")).content == "late");
}

TEST_CASE("A deadline ends a call wherever it is", "[lm][call_options]") {
  OpenAIOptions options;
  Request request = ask("x");
  Usage expected{.calls = 1};
  const auto deadline_passes = [&](HttpServer& server, auto prepare) {
    OpenAI client(options);
    [[maybe_unused]] const auto other = prepare(client, server);
    request.options.deadline = Clock::now() + 50ms;
    const Outcome outcome = client.try_chat_all({request}).front();
    CHECK(Clock::now() >= *request.options.deadline);
    const LMError error = error_of(outcome);
    CHECK(error.kind() == Kind::cancelled);
    CHECK_THAT(error.what(), ContainsSubstring("deadline"));
    CHECK(without_estimates(outcome.usage()) == expected);
  };
  const auto nothing = [](OpenAI&, HttpServer&) { return 0; };

  SECTION("running") {
    HttpServer server(replies({silence()}));
    options = options_for(server.url());
    expected.attempts = 1;
    deadline_passes(server, nothing);
  }
  SECTION("in the queue") {
    HttpServer server(replies({silence()}));
    options = options_for(server.url());
    options.max_in_flight = 1;
    deadline_passes(server, [](OpenAI& client, HttpServer& busy) {
      auto blocking = start(client, ask("y"));
      CHECK(busy.wait_for_requests(1));
      return blocking;
    });
  }
  SECTION("backing off") {
    HttpServer server(replies({{.status = 503, .headers = {{"Retry-After", "100"}}}}));
    options = options_for(server.url());
    expected.attempts = 1;
    deadline_passes(server, nothing);
  }
  SECTION("held back by a limit") {
    HttpServer server(replies({says("x")}));
    options = options_for(server.url());
    options.requests_per_minute = 1;
    deadline_passes(server, [](OpenAI& client, HttpServer&) { return client.chat(ask("y")); });
  }
}

TEST_CASE("A deadline that has passed already sends nothing", "[lm][call_options]") {
  HttpServer server(replies({says("x")}));
  OpenAI client(options_for(server.url()));
  Request request = ask("x");
  request.options.deadline = Clock::now() - 1s;
  CHECK(error_of(client.try_chat_all({request}).front()).kind() == Kind::cancelled);
  CHECK(server.request_count() == 0);
}

TEST_CASE("A deadline that is far away changes nothing", "[lm][call_options]") {
  ChatServer server(echo());
  OpenAI client(options_for(server.url()));
  Request request = ask("x");
  request.options.deadline = Clock::now() + 1h;
  CHECK(client.chat(request).content == "re: x");
}

TEST_CASE("Many calls with deadlines of their own end each exactly once", "[lm][call_options]") {
  HttpServer server([](const HttpRequest&) { return silence(); });
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = 8;
  OpenAI client(options);
  std::vector<Request> requests = numbered(300);
  const auto now = Clock::now();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].options.deadline = now + std::chrono::microseconds(100 * (i * 7 % 300));
  }
  for (const Outcome& outcome : client.try_chat_all(requests)) REQUIRE(error_of(outcome).kind() == Kind::cancelled);
}

TEST_CASE("Retries end when their time is over, with the error that came last", "[lm][call_options]") {
  OpenAIOptions options;
  SECTION("no attempt begins after it") {
    HttpServer server(replies({{.status = 503, .headers = {{"Retry-After", "100"}}, .body = error_body("busy")}}));
    options = options_for(server.url());
    options.max_retry_time = 20s;
    OpenAI client(options);
    const LMError error = error_of(client);
    CHECK(error.status() == 503);
    CHECK_THAT(error.what(), ContainsSubstring("busy") && ContainsSubstring("max_retry_time"));
    CHECK(server.request_count() == 1);
  }
  SECTION("and one that runs is cut off") {
    HttpServer server(replies({{.status = 503, .body = error_body("busy")}, silence()}));
    options = options_for(server.url());
    options.max_retry_time = 200ms;
    options.max_retries = 1;
    OpenAI client(options);
    const LMError error = error_of(client);
    CHECK(error.retryable());
    CHECK(without_estimates(client.usage()) == Usage{.calls = 1, .attempts = 2});
  }
  SECTION("the first one as well") {
    HttpServer server(replies({silence()}));
    options = options_for(server.url());
    options.max_retry_time = 50ms;
    OpenAI client(options);
    CHECK(error_of(client).kind() == Kind::transport);
    CHECK(server.request_count() == 1);
  }
}

// ---- Rates ---------------------------------------------------------------------------------------------------------------

TEST_CASE("Limits of requests and tokens hold back what exceeds them", "[lm][call_options]") {
  ChatServer server(tgd::lm::Stub::answering_in_full([](const Request&) {
    return tgd::lm::Reply{.content = "x", .usage = {.reported = 1, .prompt_tokens = 900, .completion_tokens = 100}};
  }));
  OpenAIOptions options = options_for(server.url());
  std::size_t expected = 0;
  SECTION("requests") {
    options.requests_per_minute = 3;
    expected = 3;
  }
  SECTION("tokens, by the arguments' limit") {
    options.tokens_per_minute = 2000;
    options.args = {{"max_completion_tokens", 900}};
    options.max_in_flight = 1;
    expected = 2;
  }
  SECTION("tokens, by what the replies report") {
    options.tokens_per_minute = 2000;
    options.max_in_flight = 1;
    expected = 2;
  }
  OpenAI client(options);
  std::vector<Request> requests = numbered(6);
  for (Request& request : requests) request.options.deadline = Clock::now() + 300ms;
  std::size_t answered = 0;
  for (const Outcome& outcome : client.try_chat_all(requests)) answered += outcome.ok() ? 1 : 0;
  CHECK(answered == expected);
  CHECK(server.http().request_count() == expected);
}

TEST_CASE("An endpoint that says that nothing is left is left alone until it starts anew", "[lm][call_options]") {
  const auto [left, reset] = GENERATE(table<std::string, std::string>({
      {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
      {"X-RateLimit-Remaining-Tokens", "X-RateLimit-Reset-Tokens"},
  }));
  HttpServer server(replies({{.headers = {{left, "0"}, {reset, "200ms"}}, .body = completion_body("x")}, says("y")}));
  OpenAI client(options_for(server.url()));
  const auto before = Clock::now();
  CHECK(client.chat(ask("x")).content == "x");
  CHECK(client.chat(ask("x")).content == "y");
  CHECK(Clock::now() - before >= 200ms);
}

TEST_CASE("Limits that cannot be read, or start anew too late, hold nothing back", "[lm][call_options]") {
  const auto [left, reset] =
      GENERATE(table<std::string, std::string>({{"0", "soon"}, {"none", "1h"}, {"-1", "1h"}, {"0", "72h"}, {"0", ""}}));
  HttpServer server(replies({{.headers = {{"x-ratelimit-remaining-requests", left}, {"x-ratelimit-reset-requests", reset}},
                              .body = completion_body("x")}}));
  OpenAI client(options_for(server.url()));
  for (int i = 0; i < 3; ++i) CHECK(client.chat(ask("x")).content == "x");
}
