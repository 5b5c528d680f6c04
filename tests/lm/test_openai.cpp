// The client against a real server on the loopback interface: what goes over the wire, what comes back, in which order.
#include <tgd/lm/openai.hpp>

#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/cached.hpp>
#include <tgd/lm/recorded.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "support/chat_calls.hpp"
#include "support/chat_server.hpp"
#include "support/http_server.hpp"
#include "support/temporary_folder.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using tgd::Json;
using tgd::LMError;
using tgd::lm::Cache;
using tgd::lm::Cached;
using tgd::lm::CacheOptions;
using tgd::lm::Cassette;
using tgd::lm::CassetteMode;
using tgd::lm::CassetteOptions;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Outcome;
using tgd::lm::Recorded;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::lm::Usage;
using tgd::test::ask;
using tgd::test::ChatServer;
using tgd::test::completion_body;
using tgd::test::echo;
using tgd::test::error_body;
using tgd::test::error_of;
using tgd::test::HttpRequest;
using tgd::test::HttpResponse;
using tgd::test::HttpServer;
using tgd::test::key;
using tgd::test::numbered;
using tgd::test::options_for;
using tgd::test::replies;
using tgd::test::says;
using tgd::test::start;
using tgd::test::without_estimates;
using Kind = LMError::Kind;

// ---- What goes over the wire -----------------------------------------------------------------------------------------

TEST_CASE("A request is posted as the protocol wants it", "[lm][openai][concurrent]") {
  HttpServer server(replies({says("hello")}));
  OpenAIOptions options = options_for(server.url() + "/prefix/v1/");
  options.organization = "org";
  options.project = "proj";
  options.args = {{"temperature", 1.0}, {"seed", 7}};
  options.headers = {{"X-Title", "tgd"}, {"user-agent", "mine"}};
  OpenAI client(options);

  Request request{.messages = {{"system", "Be \"kind\"\n"}, {"user", "häßlich \xff"}}, .args = {{"temperature", 0.0}}};
  CHECK(client.chat(request).content == "hello");

  REQUIRE(server.request_count() == 1);
  const HttpRequest sent = server.requests()[0];
  CHECK(sent.method == "POST");
  CHECK(sent.target == "/prefix/v1/chat/completions");
  CHECK(sent.headers.at("authorization") == "Bearer test-key");
  CHECK(sent.headers.at("content-type") == "application/json");
  CHECK(sent.headers.at("openai-organization") == "org");
  CHECK(sent.headers.at("openai-project") == "proj");
  CHECK(sent.headers.at("x-title") == "tgd");
  CHECK(sent.headers.at("user-agent") == "mine");
  CHECK(sent.headers.count("expect") == 0);
  CHECK(sent.body == R"({"temperature":0.0,"seed":7,"model":"m","messages":[{"role":"system","content":"Be \"kind\"\n"},)"
                     "{\"role\":\"user\",\"content\":\"häßlich \xEF\xBF\xBD\"}]}");
}

TEST_CASE("Arguments are sent in the order given, past a cache and a cassette", "[lm][openai]") {
  const std::string format =
      R"({"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","required":["reasoning","answer"],)"
      R"("properties":{"reasoning":{"type":"string","description":"z"},"answer":{"type":"string"}}}}})";
  const std::string tools = R"([{"type":"function","function":{"name":"f","parameters":{"zeta":1,"alpha":{"y":1,"b":2}}}}])";
  HttpServer server(replies({says("one")}));
  OpenAIOptions options = options_for(server.url());
  options.args = Json::parse(R"({"tools": )" + tools + "}");
  const tgd::test::TemporaryFolder folder;
  const auto cache = std::make_shared<Cache>(CacheOptions{.path = folder.path() / "cache"});
  const auto cassette =
      std::make_shared<Cassette>(CassetteOptions{.path = folder.path() / "cassette", .mode = CassetteMode::record});
  Recorded client(std::make_shared<Cached>(std::make_shared<OpenAI>(options), cache), cassette);
  client.chat(
      {.messages = {{"user", "x"}},
       .args = {{"response_format", Json::parse(format)}, {"extra_body", Json{{"z", Json{{"y", 1}, {"b", 2}}}, {"a", 1}}}}});
  REQUIRE(server.request_count() == 1);
  const std::string body = server.requests()[0].body;
  CHECK_THAT(body, ContainsSubstring("\"response_format\":" + format));
  CHECK_THAT(body, ContainsSubstring("\"tools\":" + tools));
  CHECK_THAT(body, ContainsSubstring(R"("extra_body":{"z":{"y":1,"b":2},"a":1})"));
}

TEST_CASE("A request's own model goes before the client's", "[lm][openai]") {
  HttpServer server(replies({says("x")}));
  OpenAI client(options_for(server.url()));
  client.chat({{"user", "x"}}, {{"model", "other"}});
  CHECK(Json::parse(server.requests()[0].body).get_text("model") == "other");
  CHECK(client.model_name() == "m");
}

TEST_CASE("A client works without a key", "[lm][openai]") {
  HttpServer server(replies({says("x")}));
  OpenAIOptions options = options_for(server.url());
  options.api_key = "";
  unsetenv("OPENAI_API_KEY");
  OpenAI client(options);
  client.chat(ask("x"));
  CHECK(server.requests()[0].headers.count("authorization") == 0);
}

TEST_CASE("Key and base URL come from the environment where the options leave them out", "[lm][openai]") {
  HttpServer server(replies({says("x")}));
  setenv("OPENAI_API_KEY", " test-key-of-the-environment\n", 1);
  setenv("OPENAI_BASE_URL", (server.url() + "/v1").c_str(), 1);
  {
    OpenAI client({.model = "m"});
    CHECK(client.url() == server.url() + "/v1/chat/completions");
    client.chat(ask("x"));
    CHECK(server.requests()[0].headers.at("authorization") == "Bearer test-key-of-the-environment");
  }
  unsetenv("OPENAI_API_KEY");
  unsetenv("OPENAI_BASE_URL");
  CHECK(OpenAI({.model = "m"}).url() == "https://api.openai.com/v1/chat/completions");
}

TEST_CASE("Options that cannot work are refused at once", "[lm][openai]") {
  const auto refused = [](auto change) {
    OpenAIOptions options = options_for("http://127.0.0.1:1");
    change(options);
    CHECK_THROWS_AS(OpenAI(options), tgd::ValueError);
  };
  refused([](OpenAIOptions& o) { o.base_url = "api.openai.com/v1"; });
  refused([](OpenAIOptions& o) { o.base_url = "ftp://host/v1"; });
  refused([](OpenAIOptions& o) { o.max_in_flight = 0; });
  refused([](OpenAIOptions& o) { o.max_reply_bytes = 0; });
  refused([](OpenAIOptions& o) { o.max_retries = -1; });
  refused([](OpenAIOptions& o) { o.timeout = 0ms; });
  refused([](OpenAIOptions& o) { o.connect_timeout = -1ms; });
  refused([](OpenAIOptions& o) { o.headers = {{"Bad Name", "x"}}; });
  refused([](OpenAIOptions& o) { o.headers = {{"X-A", "x\r\nX-B: y"}}; });
  refused([](OpenAIOptions& o) { o.api_key = "two\nlines"; });
}

TEST_CASE("A request that cannot be sent ends through its callback", "[lm][openai]") {
  HttpServer server(replies({says("x")}));
  OpenAI client(options_for(server.url()));
  const auto refused = [&](const Request& request, const std::string& reason) {
    const Outcome outcome = client.try_chat_all({request}).front();
    CHECK_THROWS_AS(Outcome(outcome).value(), tgd::ValueError);
    CHECK_THAT(outcome.error_message(), ContainsSubstring(reason));
  };
  refused(Request{}, "at least one message");
  refused(Request{.messages = {{"user", "x"}}, .args = Json::array({1})}, "JSON object");
  refused(Request{.messages = {{"user", "x"}}, .args = {{"stream", true}}}, "stream");
  refused(Request{.messages = {{"user", "x"}}, .args = {{"messages", Json::array({})}}}, "Request::messages");
  CHECK(server.request_count() == 0);
}

// ---- What comes back -------------------------------------------------------------------------------------------------

TEST_CASE("A reply is read with model, finish reason, usage and alternatives", "[lm][openai]") {
  const auto stub = Stub::answering_in_full([](const Request&) {
    return Reply{
        .content = "one",
        .finish_reason = "length",
        .usage = {.reported = 1, .prompt_tokens = 10, .cached_prompt_tokens = 4, .completion_tokens = 5, .reasoning_tokens = 2},
        .alternatives = {"two", "three"}};
  });
  ChatServer server(stub);
  OpenAI client(options_for(server.url()));
  const Reply reply = client.chat(ask("x"));
  CHECK(reply.content == "one");
  CHECK(reply.finish_reason == "length");
  CHECK(reply.model == "m");
  CHECK(reply.alternatives == std::vector<std::string>{"two", "three"});
  const Usage expected{.calls = 1,
                       .attempts = 1,
                       .reported = 1,
                       .prompt_tokens = 10,
                       .cached_prompt_tokens = 4,
                       .completion_tokens = 5,
                       .reasoning_tokens = 2};
  CHECK(reply.usage == expected);
  CHECK(without_estimates(client.usage()) == expected);
}

TEST_CASE("A reply is read however it is framed", "[lm][openai]") {
  using Framing = HttpResponse::Framing;
  const Framing framing = GENERATE(Framing::length, Framing::chunked, Framing::end_of_stream);
  HttpResponse response = says(std::string(100'000, 'x'));
  response.framing = framing;
  HttpServer server(replies({response}));
  OpenAI client(options_for(server.url()));
  CHECK(client.chat(ask("x")).content.size() == 100'000);
}

TEST_CASE("Long messages travel unharmed", "[lm][openai]") {
  ChatServer server(echo());
  OpenAI client(options_for(server.url()));
  const std::string text(3'000'000, 'y');
  CHECK(client.chat(ask(text)).content == "re: " + text);
}

TEST_CASE("chat_all keeps the order of the requests under shuffled latencies", "[lm][openai]") {
  ChatServer server(echo(), {.shuffle = 3ms, .seed = GENERATE(1U, 2U)});
  OpenAI client(options_for(server.url()));
  const std::vector<Reply> got = client.chat_all(numbered(100));
  for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(got[i].content == "re: " + std::to_string(i));
  CHECK(client.usage().calls == 100);
  CHECK(client.usage().attempts == 100);
}

// ---- Connections and concurrency -------------------------------------------------------------------------------------

TEST_CASE("Connections are kept alive and used again", "[lm][openai]") {
  ChatServer server(echo());
  OpenAIOptions options = options_for(server.url());

  SECTION("one after the other over one connection") {
    OpenAI client(options);
    for (int i = 0; i < 20; ++i) client.chat(ask("x"));
    CHECK(server.http().connections() == 1);
  }
  SECTION("many over no more connections than may be in flight") {
    options.max_in_flight = 4;
    OpenAI client(options);
    client.chat_all(numbered(100));
    CHECK(server.http().connections() <= 4);
  }
}

TEST_CASE("No more than max_in_flight requests are sent at the same time", "[lm][openai]") {
  const std::size_t limit = GENERATE(1U, 3U, 8U);
  ChatServer server(echo(), {.latency = 2ms});
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = limit;
  OpenAI client(options);
  client.chat_all(numbered(40));
  CHECK(server.http().max_concurrent() <= limit);
}

TEST_CASE("Requests are sent in the order of arrival", "[lm][openai]") {
  ChatServer server(echo());
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = 1;
  OpenAI client(options);
  client.chat_all(numbered(30));
  const std::vector<HttpRequest> requests = server.http().requests();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    REQUIRE(tgd::test::parse_chat_request(requests[i].body).messages[0].content == std::to_string(i));
  }
}

TEST_CASE("A client serves several threads, and several clients live side by side", "[lm][openai]") {
  ChatServer server(echo(), {.shuffle = 1ms});
  OpenAI a(options_for(server.url()));
  OpenAI b(options_for(server.url()));
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  threads.reserve(6);
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      OpenAI& client = t % 2 == 0 ? a : b;
      for (int i = 0; i < 10; ++i) {
        const std::string text = std::to_string(t * 100 + i);
        if (client.chat(ask(text)).content == "re: " + text) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 60);
  CHECK(a.usage().calls == 30);
}

// ---- Errors ----------------------------------------------------------------------------------------------------------

TEST_CASE("An error quotes the endpoint, says where it came from and what to do", "[lm][openai]") {
  struct Case {
    HttpResponse response;
    Kind kind;
    std::vector<std::string> parts;
  };
  const auto [response, kind, parts] = GENERATE(values<Case>({
      {{.status = 400, .body = error_body("unknown argument foo")}, Kind::status, {"400", "unknown argument foo"}},
      {{.status = 401, .body = error_body("bad key")}, Kind::status, {"401", "bad key", "OPENAI_API_KEY"}},
      {{.status = 404, .body = error_body("no such model")}, Kind::status, {"404", "no such model", "\"m\"", "base_url"}},
      {{.status = 403, .body = "<html>no</html>"}, Kind::status, {"403", "\"no\""}},
      {{.status = 302, .headers = {{"Location", "https://elsewhere.example/"}}},
       Kind::status,
       {"302", "https://elsewhere.example/", "not followed"}},
      {{.body = "<html>Log in</html>"}, Kind::malformed, {"not JSON", "<html>Log in</html>"}},
      {{.body = R"({"choices":[{"mess)"}, Kind::unreadable, {"not JSON", "mess"}},
      {{.body = R"({"choices":[]})"}, Kind::empty, {"no choices"}},
      {{.raw = "garbage garbage\r\n\r\n"}, Kind::transport, {}},
  }));
  HttpServer server(replies({response}));
  OpenAI client(options_for(server.url()));
  const LMError error = error_of(client);
  CHECK(error.kind() == kind);
  if (kind == Kind::status) CHECK(error.status() == response.status);
  CHECK_THAT(error.what(), ContainsSubstring("POST " + server.url() + "/v1/chat/completions"));
  for (const std::string& part : parts) CHECK_THAT(error.what(), ContainsSubstring(part));
}

TEST_CASE("A redirect is not followed", "[lm][openai]") {
  HttpServer elsewhere(replies({says("caught")}));
  const int status = GENERATE(301, 302, 303, 307, 308);
  HttpServer server(replies({{.status = status, .headers = {{"Location", elsewhere.url() + "/v1/chat/completions"}}}}));
  OpenAI client(options_for(server.url()));
  CHECK(error_of(client).status() == status);
  CHECK(elsewhere.request_count() == 0);
}

TEST_CASE("A refused connection names the URL", "[lm][openai]") {
  const std::string url = "http://127.0.0.1:" + std::to_string(tgd::test::closed_port());
  OpenAIOptions options = options_for(url);
  options.max_retries = 2;
  OpenAI client(options);
  const LMError error = error_of(client);
  CHECK(error.kind() == Kind::transport);
  CHECK(error.status() == 0);
  CHECK(error.retryable());
  CHECK_THAT(error.what(), ContainsSubstring(url) && ContainsSubstring("after 3 attempts"));
  CHECK(without_estimates(client.usage()) == Usage{.calls = 1, .attempts = 3});
}

TEST_CASE("The key never appears in an error, even when the endpoint quotes it", "[lm][openai]") {
  const int status = GENERATE(200, 400, 401);
  HttpServer server([&](const HttpRequest& request) {
    return HttpResponse{.status = status,
                        .body = "you sent " + request.headers.at("authorization") + " and " + request.headers.at("x-api-key")};
  });
  OpenAIOptions options = options_for(server.url());
  options.headers = {{"X-Api-Key", "second-test-secret"}};
  OpenAI client(options);
  const std::string message = error_of(client).what();
  CHECK_THAT(message, ContainsSubstring("you sent Bearer *** and ***"));
  CHECK_THAT(message, !ContainsSubstring(key) && !ContainsSubstring("second-test-secret"));
}

TEST_CASE("A key that is none does not garble errors", "[lm][openai]") {
  HttpServer server(replies({{.status = 400, .body = "none of these"}}));
  OpenAIOptions options = options_for(server.url());
  options.api_key = "none";
  OpenAI client(options);
  CHECK_THAT(error_of(client).what(), ContainsSubstring("none of these"));
}

TEST_CASE("What a URL holds besides the place stays out of errors", "[lm][openai]") {
  HttpServer server(replies({{.status = 400}}));
  const std::string place = "127.0.0.1:" + std::to_string(server.port());
  OpenAI client(options_for("http://user:test-password@" + place + "/v1?code=test-code"));
  const std::string message = error_of(client).what();
  CHECK_THAT(message, ContainsSubstring(place) && !ContainsSubstring("test-password") && !ContainsSubstring("test-code"));
  CHECK(server.requests()[0].target == "/v1/chat/completions?code=test-code");
}

TEST_CASE("A reply that is too long is not read to its end", "[lm][openai]") {
  HttpServer server(replies({says(std::string(5000, 'x'))}));
  OpenAIOptions options = options_for(server.url());
  SECTION("over the limit") {
    options.max_reply_bytes = 4000;
    OpenAI client(options);
    const LMError error = error_of(client);
    CHECK(error.kind() == Kind::transport);
    CHECK_FALSE(error.retryable());
    CHECK_THAT(error.what(), ContainsSubstring("longer than 4000 bytes"));
    CHECK(server.request_count() == 1);
  }
  SECTION("exactly the limit") {
    options.max_reply_bytes = says(std::string(5000, 'x')).body.size();
    OpenAI client(options);
    CHECK(client.chat(ask("x")).content.size() == 5000);
  }
}

// ---- Retries ---------------------------------------------------------------------------------------------------------

TEST_CASE("What may go away by itself is tried again", "[lm][openai]") {
  const HttpResponse failure = GENERATE(values<HttpResponse>({
      {.status = 408},
      {.status = 409},
      {.status = 429},
      {.status = 500, .body = error_body("oops")},
      {.status = 503},
      {.status = 529},
      {.body = completion_body("cut off"), .cut_after = 20},
      {.body = completion_body("cut off"), .framing = HttpResponse::Framing::chunked, .cut_after = 20},
      {.body = completion_body("cut off").substr(0, 20), .framing = HttpResponse::Framing::end_of_stream},
      tgd::test::hang_up(),
      tgd::test::reset(),
  }));
  HttpServer server(replies({failure, failure, says("at last")}));
  OpenAI client(options_for(server.url()));
  const Reply reply = client.chat(ask("x"));
  CHECK(reply.content == "at last");
  CHECK(reply.usage.attempts == 3);
  CHECK(without_estimates(client.usage()) == Usage{.calls = 1, .attempts = 3});
  CHECK(server.requests()[0].body == server.requests()[2].body);
}

TEST_CASE("Retries end after max_retries, and the error says how often it was tried", "[lm][openai]") {
  HttpServer server(replies({{.status = 500, .body = error_body("down")}}));
  OpenAIOptions options = options_for(server.url());
  options.max_retries = GENERATE(0, 1, 3);
  OpenAI client(options);
  const LMError error = error_of(client);
  const auto attempts = static_cast<std::size_t>(options.max_retries) + 1;
  CHECK(server.request_count() == attempts);
  CHECK(error.retryable());
  if (attempts > 1) CHECK_THAT(error.what(), ContainsSubstring("after " + std::to_string(attempts) + " attempts"));
}

TEST_CASE("What will not go away is not tried again", "[lm][openai]") {
  const HttpResponse failure = GENERATE(values<HttpResponse>({
      {.status = 400},
      {.status = 401},
      {.status = 404},
      {.status = 422},
      {.status = 429, .body = R"({"error":{"message":"You exceeded your quota","code":"insufficient_quota"}})"},
      {.body = R"({"choices":[{"message":{"refusal":"no"}}]})"},
  }));
  HttpServer server(replies({failure, says("too late")}));
  OpenAI client(options_for(server.url()));
  CHECK_FALSE(error_of(client).retryable());
  CHECK(server.request_count() == 1);
}

TEST_CASE("An answer that arrived whole but cannot be used is tried once more", "[lm][openai]") {
  const std::string body = GENERATE("{broken", "<html></html>", "{}", R"({"choices":[]})");
  SECTION("and may be better then") {
    HttpServer server(replies({{.body = body}, says("better")}));
    OpenAI client(options_for(server.url()));
    CHECK(client.chat(ask("x")).content == "better");
  }
  SECTION("and is given up otherwise") {
    HttpServer server(replies({{.body = body}}));
    OpenAI client(options_for(server.url()));
    error_of(client);
    CHECK(server.request_count() == 2);
  }
}

TEST_CASE("A timeout is tried again", "[lm][openai]") {
  HttpServer server(replies({tgd::test::silence(), says("awake")}));
  OpenAIOptions options = options_for(server.url());
  SECTION("with success") {
    options.timeout = 300ms;
    OpenAI client(options);
    CHECK(client.chat(ask("x")).content == "awake");
  }
  SECTION("or fails and says that it was one") {
    options.timeout = 50ms;
    options.max_retries = 0;
    OpenAI client(options);
    const LMError error = error_of(client);
    CHECK(error.kind() == Kind::transport);
    CHECK_THAT(error.what(), ContainsSubstring("timed out"));
  }
}

TEST_CASE("Retry-After is obeyed", "[lm][openai]") {
  const auto [name, value, wait] = GENERATE(table<std::string, std::string, std::chrono::milliseconds>({
      {"Retry-After", "0.05", 50ms},
      {"retry-after", "1", 1000ms},
      {"Retry-After-Ms", "40", 40ms},
  }));
  HttpServer server(replies({{.status = GENERATE(429, 503), .headers = {{name, value}}}, says("x")}));
  OpenAI client(options_for(server.url()));
  const auto before = std::chrono::steady_clock::now();
  CHECK(client.chat(ask("x")).content == "x");
  CHECK(std::chrono::steady_clock::now() - before >= wait);
}

TEST_CASE("A wait that is too long ends the call and is reported", "[lm][openai]") {
  HttpServer server(replies({{.status = 429, .headers = {{"Retry-After", "3600"}}}}));
  OpenAI client(options_for(server.url()));
  const LMError error = error_of(client);
  CHECK(error.retryable());
  CHECK(error.retry_after() == 1h);
  CHECK(server.request_count() == 1);
}

TEST_CASE("A 429 with Retry-After holds back the other requests too", "[lm][openai]") {
  HttpServer server(replies({{.status = 429, .headers = {{"Retry-After-Ms", "200"}}}, says("x")}));
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = 1;
  OpenAI client(options);
  const auto before = std::chrono::steady_clock::now();
  auto first = start(client, ask("first"));
  auto second = start(client, ask("second"));
  CHECK(second.get().ok());
  CHECK(std::chrono::steady_clock::now() - before >= 200ms);
  CHECK(first.get().ok());
}

TEST_CASE("Many refusals are survived by sending less at a time", "[lm][openai]") {
  // Grants four at a time, as an endpoint with a rate limit does.
  std::atomic<int> running = 0;
  HttpServer server([&](const HttpRequest&) {
    const bool granted = ++running <= 4;
    std::this_thread::sleep_for(1ms);
    --running;
    return granted ? says("x") : HttpResponse{.status = 429};
  });
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = 32;
  options.max_retries = 1000;
  OpenAI client(options);
  CHECK(client.chat_all(numbered(200)).size() == 200);
}

// ---- Cancelling ------------------------------------------------------------------------------------------------------

TEST_CASE("A call can be cancelled", "[lm][openai]") {
  HttpServer server(replies({tgd::test::silence(), says("next")}));
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = 1;
  OpenAI client(options);
  std::stop_source stop;
  Request request = ask("x");
  request.stop = stop.get_token();

  SECTION("while it runs, and the next one takes its place") {
    auto outcome = start(client, request);
    REQUIRE(server.wait_for_requests(1));
    auto next = start(client, ask("y"));
    stop.request_stop();
    CHECK(error_of(outcome.get()).kind() == Kind::cancelled);
    CHECK(next.get().value().content == "next");
    CHECK(without_estimates(client.usage()) == Usage{.calls = 2, .attempts = 2});
  }
  SECTION("while it is in the queue") {
    auto blocking = start(client, ask("y"));
    auto outcome = start(client, request);
    stop.request_stop();
    CHECK(error_of(outcome.get()).kind() == Kind::cancelled);
    CHECK(client.usage().calls == 2);
    CHECK(server.request_count() <= 1);
  }
  SECTION("before it starts") {
    stop.request_stop();
    CHECK(error_of(start(client, request).get()).kind() == Kind::cancelled);
    CHECK(server.request_count() == 0);
  }
}

TEST_CASE("A call can be cancelled while it waits for its next attempt", "[lm][openai]") {
  HttpServer server(replies({{.status = 503, .headers = {{"Retry-After", "100"}}}}));
  OpenAI client(options_for(server.url()));
  std::stop_source stop;
  Request request = ask("x");
  request.stop = stop.get_token();
  auto outcome = start(client, request);
  REQUIRE(server.wait_for_requests(1));
  stop.request_stop();
  CHECK(error_of(outcome.get()).kind() == Kind::cancelled);
}

TEST_CASE("One stop ends a thousand calls, each exactly once", "[lm][openai]") {
  HttpServer server([](const HttpRequest&) { return tgd::test::silence(); });
  OpenAIOptions options = options_for(server.url());
  options.max_in_flight = 8;
  OpenAI client(options);
  std::stop_source stop;
  std::vector<Request> requests = numbered(1000);
  for (Request& request : requests) request.stop = stop.get_token();
  std::thread stopper([&] {
    server.wait_for_requests(1);
    stop.request_stop();
  });
  for (const Outcome& outcome : client.try_chat_all(requests)) REQUIRE(error_of(outcome).kind() == Kind::cancelled);
  stopper.join();
}

TEST_CASE("Destroying a client cancels what it was asked, each call exactly once", "[lm][openai]") {
  HttpServer server([](const HttpRequest&) { return tgd::test::silence(); });
  std::vector<std::atomic<int>> ended(50);
  std::atomic<int> cancelled = 0;
  {
    OpenAIOptions options = options_for(server.url());
    options.max_in_flight = 4;
    OpenAI client(options);
    for (std::atomic<int>& count : ended) {
      client.start(ask("x"), [&](const Outcome& outcome) {
        ++count;
        if (error_of(outcome).kind() == Kind::cancelled) ++cancelled;
      });
    }
    if (GENERATE(true, false)) REQUIRE(server.wait_for_requests(4));
  }
  for (const std::atomic<int>& count : ended) CHECK(count == 1);
  CHECK(cancelled == 50);
}

TEST_CASE("A callback may use and even destroy the client", "[lm][openai]") {
  ChatServer server(echo());
  auto client = std::make_unique<OpenAI>(options_for(server.url()));
  std::promise<Outcome> pending;
  std::promise<std::string> second;
  SECTION("start another call") {
    client->start(ask("1"), [&](const Outcome&) {
      client->start(ask("2"), [&](const Outcome& outcome) { second.set_value(outcome.value().content); });
    });
    CHECK(second.get_future().get() == "re: 2");
  }
  SECTION("destroy it with another call under way") {
    std::promise<void> started;
    std::promise<void> destroyed;
    client->start(ask("1"), [&](const Outcome&) {
      started.get_future().wait();
      client.reset();
      destroyed.set_value();
    });
    client->start(ask("2"), [&](Outcome outcome) { pending.set_value(std::move(outcome)); });
    started.set_value();
    destroyed.get_future().wait();
    // It may have been answered already, or be cancelled now; but it ends.
    pending.get_future().get();
  }
}

TEST_CASE("A callback that throws does no harm to other calls", "[lm][openai]") {
  ChatServer server(echo());
  OpenAI client(options_for(server.url()));
  client.start(ask("x"), [](const Outcome&) { throw std::runtime_error("broken promise"); });
  CHECK(client.chat(ask("y")).content == "re: y");
}
