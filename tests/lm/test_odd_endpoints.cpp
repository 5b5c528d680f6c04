// Endpoints that are not as the protocol says: what is learned of them, once, and what is said of them.
#include <array>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/openai.hpp>

#include "catch.hpp"
#include "lm/openai/protocol.hpp"
#include "lm/reply_json.hpp"
#include "support/chat_calls.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using nlohmann::json;
using tgd::LMError;
using tgd::Notice;
using tgd::lm::Message;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Usage;
using tgd::lm::detail::parse_reply;
using tgd::test::ask;
using tgd::test::completion_body;
using tgd::test::error_body;
using tgd::test::error_of;
using tgd::test::HttpRequest;
using tgd::test::HttpResponse;
using tgd::test::HttpServer;
using tgd::test::options_for;
using tgd::test::replies;
using tgd::test::says;
using Kind = LMError::Kind;

namespace {

/// What a client gives notice of.
class Notices {
 public:
  tgd::OnNotice taker() {
    return [this](const Notice& notice) {
      const std::lock_guard lock(mutex_);
      texts_.push_back(notice.text);
    };
  }
  std::vector<std::string> texts() {
    const std::lock_guard lock(mutex_);
    return texts_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

/// Says the same to whatever comes first over a connection.
class PlainServer {
 public:
  explicit PlainServer(std::string answer) : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener_, 16) == 0);
    REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  PlainServer(const PlainServer&) = delete;
  PlainServer& operator=(const PlainServer&) = delete;
  ~PlainServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void serve() {
    for (int client = accept(listener_, nullptr, nullptr); client >= 0; client = accept(listener_, nullptr, nullptr)) {
      ++connections_;
      std::array<char, 4096> bytes{};
      if (read(client, bytes.data(), bytes.size()) > 0) (void)send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      close(client);
    }
  }

  std::string answer_;
  int listener_;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

std::vector<std::string> roles_in(const std::string& body) {
  std::vector<std::string> roles;
  const json parsed = json::parse(body);
  for (const json& message : parsed["messages"]) roles.push_back(message["role"]);
  return roles;
}

/// Takes user and assistant in turn, nothing else.
HttpResponse strict_about_roles(const HttpRequest& request) {
  const std::vector<std::string> roles = roles_in(request.body);
  for (std::size_t i = 0; i < roles.size(); ++i) {
    if (roles[i] != (i % 2 == 0 ? "user" : "assistant"))
      return {.status = 400, .body = error_body("System role not supported")};
  }
  return says(json::parse(request.body)["messages"][0]["content"].get<std::string>());
}

Request with_system(const std::string& text) { return {.messages = {{"system", "rules"}, {"user", text}}}; }

}  // namespace

// ---- Roles -------------------------------------------------------------------------------------------------------------

TEST_CASE("A model without a system role gets the text in the user's message, and that is learned once",
          "[lm][openai][odd][concurrent]") {
  HttpServer server(strict_about_roles);
  Notices notices;
  OpenAIOptions options = options_for(server.url());
  options.on_notice = notices.taker();
  SECTION("found out by itself") {
    OpenAI client(options);
    for (int i = 0; i < 12; ++i) CHECK(client.chat(with_system("text")).content == "rules\n\ntext");
    CHECK(server.request_count() == 13);
    CHECK(client.usage().attempts == 13);
    REQUIRE(notices.texts().size() == 1);
    CHECK_THAT(notices.texts()[0], ContainsSubstring("system_role"));
  }
  SECTION("by those that wait already, too") {
    options.max_in_flight = 4;
    OpenAI client(options);
    std::vector<Request> requests(40, with_system("text"));
    CHECK(client.chat_all(requests).size() == 40);
    CHECK(server.request_count() <= 44);
  }
  SECTION("streamed") {
    OpenAI client(options);
    std::string given;
    CHECK(client.chat_stream(with_system("text"), [&](std::string_view piece) { given += piece; }).content == "rules\n\ntext");
    CHECK(given == "rules\n\ntext");
    CHECK(server.request_count() == 2);
  }
  SECTION("or said beforehand") {
    options.system_role = false;
    OpenAI client(options);
    CHECK(client.chat(with_system("text")).content == "rules\n\ntext");
    CHECK(server.request_count() == 1);
    CHECK(notices.texts().empty());
    CHECK(client.identity().value()["system_role"] == false);
  }
  SECTION("and turns that do not alternate become ones that do") {
    OpenAI client(options);
    const Request request{
        .messages = {{"developer", "a"}, {"user", "b"}, {"user", "c"}, {"assistant", "d"}, {"system", "e"}, {"user", "f"}}};
    CHECK(client.chat(request).content == "a\n\nb\n\nc");
    CHECK(roles_in(server.requests()[1].body) == std::vector<std::string>{"user", "assistant", "user"});
  }
}

TEST_CASE("A refusal of roles that no folding mends is given up after one more attempt, and nothing is learned",
          "[lm][openai][odd][concurrent]") {
  HttpServer server(replies({{.status = 400, .body = error_body("System role not supported")}}));
  OpenAI client(options_for(server.url()));
  CHECK_FALSE(error_of(client).retryable());
  CHECK(server.request_count() == 1);  // without a system message there is nothing to fold
  CHECK_FALSE(client.try_chat_all({with_system("x")}).front().ok());
  CHECK(server.request_count() == 3);
  CHECK_FALSE(client.try_chat_all({with_system("x")}).front().ok());
  CHECK(roles_in(server.requests()[3].body) == std::vector<std::string>{"system", "user"});
}

// ---- Windows -----------------------------------------------------------------------------------------------------------

TEST_CASE("A request that is too long is made shorter once, by what the endpoint says of its window",
          "[lm][openai][odd][concurrent]") {
  std::string refusal;
  HttpServer server([&](const HttpRequest& request) -> HttpResponse {
    if (request.method == "GET") return {.body = R"({"data":[{"id":"m","meta":{"n_ctx":500,"n_ctx_train":32768}}]})"};
    return request.body.size() > 2000 ? HttpResponse{.status = 400, .body = refusal} : says("x");
  });
  std::size_t offered = 0;
  Request request{.messages = {{"user", std::string(8000, 'a')}}};
  request.shortened = [&offered](std::size_t bytes) {
    offered = bytes;
    return std::vector<Message>{{"user", std::string(bytes > 100 ? bytes - 100 : 0, 'a')}};
  };
  OpenAI client(options_for(server.url()));
  SECTION("in its refusal") {
    refusal = R"({"error":{"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":2000,"n_ctx":500}})";
    CHECK(client.chat(request).content == "x");
    CHECK(server.request_count() == 2);
    CHECK(offered <= 1500);
    CHECK(client.context_window() == 500);
  }
  SECTION("in its list of models") {
    refusal = error_body("This request exceeds the context size");
    CHECK(client.chat(request).content == "x");
    CHECK(server.request_count() == 3);
    CHECK(client.chat(request).content == "x");
    CHECK(server.request_count() == 5);  // the list is asked for once
  }
  SECTION("and once only") {
    refusal = R"({"error":{"message":"the maximum context length is 100000 tokens","code":"context_length_exceeded"}})";
    const LMError error = error_of(client.try_chat_all({request}).front());
    CHECK(error.kind() == Kind::too_long);
    CHECK(server.request_count() == 2);
    for (const char* setting : {"context_budget", "samples_per_request", "show_context"})
      CHECK_THAT(error.what(), ContainsSubstring(setting));
  }
  SECTION("also where nothing is left to leave out and nobody names the window, the settings are") {
    refusal = error_body("This request exceeds the context size");
    HttpServer silent([&](const HttpRequest&) -> HttpResponse { return {.status = 400, .body = refusal}; });
    request.shortened = [](std::size_t) { return std::vector<Message>(); };
    OpenAI other(options_for(silent.url()));
    CHECK_THAT(error_of(other.try_chat_all({request}).front()).what(), ContainsSubstring("context_budget"));
  }
  SECTION("unless nothing can be left out") {
    refusal = R"({"error":{"message":"the maximum context length is 500 tokens","code":"context_length_exceeded"}})";
    request.shortened = {};
    CHECK(error_of(client.try_chat_all({request}).front()).kind() == Kind::too_long);
    CHECK(server.request_count() == 1);
  }
}

TEST_CASE("The window of a model is read from lists of models in all forms", "[lm][openai][odd]") {
  using tgd::lm::detail::window_in_list;
  CHECK(window_in_list(R"({"data":[{"id":"a","max_model_len":4096},{"id":"b","max_model_len":8192}]})", "b") == 8192);
  CHECK(window_in_list(R"({"data":[{"id":"/models/x.gguf","meta":{"n_ctx":2048,"n_ctx_train":32768}}]})", "m") == 2048);
  CHECK(window_in_list(R"({"data":[{"id":"x","meta":{"n_ctx_train":32768}}]})", "m") == 32768);
  CHECK(window_in_list(R"({"data":[{"id":"b","context_length":131072}]})", "b") == 131072);
  CHECK(window_in_list(R"([{"id":"b","context_length":131072}])", "b") == 131072);
  CHECK(window_in_list(R"({"data":[{"id":"b","max_context_length":9000,"loaded_context_length":4000}]})", "b") == 4000);
  CHECK(window_in_list(R"({"data":[{"id":"a","max_model_len":1},{"id":"b","max_model_len":2}]})", "c") == 0);
  CHECK(window_in_list(R"({"data":[{"id":"m"}]})", "m") == 0);
  CHECK(window_in_list("<html>", "m") == 0);
}

// ---- Ways and encodings ------------------------------------------------------------------------------------------------

TEST_CASE("A body that is not in the encoding of its header is read as it is, once that is known",
          "[lm][openai][odd][concurrent]") {
  HttpResponse answer = says("x");
  answer.headers = {{"Content-Encoding", GENERATE("gzip", "x-acme")}};
  SECTION("and is a reply") {
    HttpServer server(replies({answer}));
    OpenAI client(options_for(server.url()));
    CHECK(client.chat(ask("x")).content == "x");
    CHECK(server.request_count() == 2);
    CHECK(client.chat(ask("y")).content == "x");
    CHECK(server.request_count() == 3);
  }
  SECTION("also where several were on their way before it was known, and it is said once") {
    HttpServer server(replies({answer}));
    Notices notices;
    OpenAIOptions options = options_for(server.url());
    options.on_notice = notices.taker();
    OpenAI client(options);
    for (const auto& outcome : client.try_chat_all(std::vector<Request>(6, ask("x")))) CHECK(outcome.ok());
    CHECK(notices.texts().size() == 1);
    CHECK_THAT(notices.texts().at(0), ContainsSubstring("Content-Encoding"));
  }
  SECTION("or is none, after one more attempt") {
    answer.body = "\x01\x02\x03";
    HttpServer server(replies({answer}));
    OpenAI client(options_for(server.url()));
    CHECK_THAT(error_of(client).what(), ContainsSubstring("Content-Encoding"));
    CHECK(server.request_count() == 2);
  }
}

TEST_CASE("A status that came before the connection broke is what counts", "[lm][openai][odd][concurrent]") {
  HttpServer server(replies({{.raw = "HTTP/1.1 413 Too Large\r\nContent-Length: 1000\r\n\r\nthe body is too"}}));
  OpenAI client(options_for(server.url()));
  const LMError error = error_of(client);
  CHECK(error.status() == 413);
  CHECK_THAT(error.what(), ContainsSubstring("the body is too"));
  CHECK(server.request_count() == 1);
}

TEST_CASE("A wrong port or a wrong protocol is said, and asked once", "[lm][openai][odd][concurrent]") {
  SECTION("http to a port that speaks TLS") {
    HttpServer server(replies({{.raw = std::string("\x15\x03\x03\x00\x02\x02\x46", 7)}}));
    OpenAI client(options_for(server.url()));
    const LMError error = error_of(client);
    CHECK_THAT(error.what(), ContainsSubstring("https://"));
    CHECK(server.connections() <= 2);
  }
  SECTION("https to a port that speaks http") {
    // The beginning of a handshake is no request, and is answered as such.
    PlainServer server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    OpenAI client(options_for("https://127.0.0.1:" + std::to_string(server.port())));
    CHECK_THAT(error_of(client).what(), ContainsSubstring("http:// in base_url"));
    CHECK(server.connections() == 1);
  }
  SECTION("http, in the words of servers that know") {
    HttpServer server(replies({{.status = 400, .body = "Client sent an HTTP request to an HTTPS server.\n"}}));
    OpenAI client(options_for(server.url()));
    CHECK_THAT(error_of(client).what(), ContainsSubstring("https://"));
    CHECK(server.request_count() == 1);
  }
}

TEST_CASE("A proxy that does not let a request through is named, and asked once", "[lm][openai][odd][concurrent]") {
  HttpServer proxy(replies({{.status = GENERATE(403, 407, 502), .body = "no"}}));
  setenv("https_proxy", ("http://ann:test-password@127.0.0.1:" + std::to_string(proxy.port())).c_str(), 1);
  OpenAIOptions options = options_for("https://models.invalid/v1");
  OpenAI client(options);
  const LMError error = error_of(client);
  unsetenv("https_proxy");
  CHECK_THAT(error.what(), ContainsSubstring("proxy") && ContainsSubstring("https_proxy=http://127.0.0.1:"));
  CHECK_THAT(error.what(), !ContainsSubstring("test-password"));
  CHECK(proxy.request_count() <= 2);
}

TEST_CASE("/v1 that was put in is named where nothing is there", "[lm][openai][odd][concurrent]") {
  HttpServer server(replies({{.status = 404, .body = error_body("Resource not found")}}));
  OpenAI added(options_for(server.url() + "/inference"));
  CHECK_THAT(error_of(added).what(), ContainsSubstring("/v1 was added") && ContainsSubstring("ends with /chat/completions"));
  OpenAI given(options_for(server.url() + "/v1"));
  CHECK_THAT(error_of(given).what(), !ContainsSubstring("/v1 was added"));
}

// ---- Who asks ----------------------------------------------------------------------------------------------------------

TEST_CASE("Who says who asks does not send the key of the environment besides", "[lm][openai][odd][concurrent]") {
  HttpServer server(replies({says("x")}));
  setenv("OPENAI_API_KEY", "key-of-another-service", 1);
  OpenAIOptions options = options_for(server.url());
  options.api_key.clear();
  std::string expected;
  SECTION("a user and a password in the URL") {
    options.base_url = "http://ann:pw@127.0.0.1:" + std::to_string(server.port());
    expected = "Basic YW5uOnB3";
  }
  SECTION("a key in another header") { options.headers = {{"Api-Key", "test-other-key-1"}}; }
  SECTION("a secret header") { options.secret_headers = {{"X-Tenant", "test-tenant-1"}}; }
  SECTION("nothing of that kind") { expected = "Bearer key-of-another-service"; }
  OpenAI client(options);
  CHECK(client.chat(ask("x")).content == "x");
  unsetenv("OPENAI_API_KEY");
  const auto headers = server.requests()[0].headers;
  CHECK((headers.contains("authorization") ? headers.at("authorization") : "") == expected);
}

TEST_CASE("Secret headers are sent, and seen nowhere", "[lm][openai][odd][concurrent]") {
  HttpServer server(replies({{.status = 400, .body = error_body("bad tenant test-tenant-0815")}}));
  OpenAIOptions options = options_for(server.url());
  options.secret_headers = {{"X-Tenant", "test-tenant-0815"}};
  OpenAI client(options);
  CHECK_THAT(error_of(client).what(), !ContainsSubstring("0815"));
  CHECK(server.requests()[0].headers.at("x-tenant") == "test-tenant-0815");
  CHECK_THAT(client.identity().dump(), !ContainsSubstring("0815"));
}

// ---- What is said once -------------------------------------------------------------------------------------------------

TEST_CASE("What is odd about an endpoint is told once", "[lm][openai][odd][concurrent]") {
  Notices notices;
  std::string body;
  std::string said;
  SECTION("an end that nobody knows") {
    body = completion_body("x", "eos_of_acme");
    said = "eos_of_acme";
  }
  SECTION("bytes that are no UTF-8, with their place") {
    body = "{\"choices\":[{\"message\":{\"content\":\"a\xff\"}}]}";
    said = "byte 36 of a reply";
  }
  SECTION("half a character") {
    body = R"({"choices":[{"message":{"content":"ab\ud83d"}}]})";
    said = "byte 37 of a reply";
  }
  HttpServer server(replies({{.body = body}}));
  OpenAIOptions options = options_for(server.url());
  options.on_notice = notices.taker();
  OpenAI client(options);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(client.chat(ask("x")).content.empty());
  REQUIRE(notices.texts().size() == 1);
  CHECK_THAT(notices.texts()[0], ContainsSubstring(said));
}

// ---- What a reply tells besides ----------------------------------------------------------------------------------------

TEST_CASE("What an endpoint charges goes before the list of prices", "[lm][openai][odd][concurrent]") {
  HttpResponse answer = says("x");
  SECTION("in its figures") {
    answer.body = R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":1,"cost":0.02}})";
  }
  SECTION("in a header") { answer.headers = {{"x-litellm-response-cost", "0.02"}}; }
  HttpServer server(replies({answer}));
  OpenAI client(options_for(server.url()));
  const Reply reply = client.chat(ask("x"));
  tgd::lm::PriceTable prices;
  prices.set("m", {.input = 1'000'000, .output = 1'000'000});
  CHECK(tgd::lm::call_cost(prices, "m", reply) == tgd::lm::Cost::from_usd(0.02));
  CHECK(tgd::lm::call_cost(tgd::lm::PriceTable::empty(), "m", reply) == tgd::lm::Cost::from_usd(0.02));
}

TEST_CASE("Where an endpoint gives no figures, there are estimates that are named so", "[lm][openai][odd][concurrent]") {
  HttpServer server(replies({says("four tokens or so")}));
  OpenAI client(options_for(server.url()));
  const Usage usage = client.chat(ask("how many tokens has this?")).usage;
  CHECK(usage.reported == 0);
  CHECK(usage.prompt_tokens == 0);
  CHECK(usage.completion_tokens == 0);
  CHECK(usage.estimated_prompt_tokens > 5);
  CHECK(usage.estimated_completion_tokens > 3);
}

TEST_CASE("Log-probabilities are read in all forms, from streams as well, and kept with a reply",
          "[lm][openai][odd][concurrent]") {
  const double none = -std::numeric_limits<double>::infinity();
  SECTION("asked for with arguments") {
    CHECK(tgd::lm::logprob_args() == tgd::Json{{"logprobs", true}});
    CHECK(tgd::lm::logprob_args(3) == tgd::Json{{"logprobs", true}, {"top_logprobs", 3}});
  }
  SECTION("as the API documents them, minus infinity as Python writes it") {
    const auto parsed = parse_reply(
        R"({"choices":[{"message":{"content":"yes"},"logprobs":{"content":[{"token":"yes","logprob":-0.5,"bytes":null,"top_logprobs":)"
        R"([{"token":"yes","logprob":-0.5},{"token":"no","logprob":-Infinity}]}]}}]})",
        true);
    const auto& reply = std::get<Reply>(parsed.result);
    REQUIRE(reply.logprobs.size() == 1);
    CHECK(reply.logprobs[0] == tgd::lm::TokenLogprob{"yes", -0.5, {{"yes", -0.5}, {"no", none}}});
    CHECK(tgd::lm::detail::reply_from_json(tgd::lm::detail::reply_to_json(reply)).logprobs == reply.logprobs);
  }
  SECTION("in lists side by side") {
    const auto parsed = parse_reply(
        R"({"choices":[{"message":{"content":"ab"},"logprobs":{"tokens":["a","b"],"token_logprobs":[-1,null],"top_logprobs":[{"a":-1,"c":-2}]}}]})",
        true);
    const auto& logprobs = std::get<Reply>(parsed.result).logprobs;
    REQUIRE(logprobs.size() == 2);
    CHECK(logprobs[0] == tgd::lm::TokenLogprob{"a", -1, {{"a", -1}, {"c", -2}}});
    CHECK(logprobs[1] == tgd::lm::TokenLogprob{"b", none, {}});
  }
  SECTION("piece by piece") {
    const auto chunk = [](const std::string& text) {
      return tgd::test::event(R"({"choices":[{"index":0,"delta":{"content":")" + text +
                              R"("},"logprobs":{"content":[{"token":")" + text + R"(","logprob":-1,"top_logprobs":[]}]}}]})");
    };
    HttpServer server(replies({{.body = chunk("a") + chunk("b") + tgd::test::event("[DONE]")}}));
    OpenAI client(options_for(server.url()));
    const Reply reply = client.chat_stream(ask("x"), [](std::string_view) {});
    REQUIRE(reply.logprobs.size() == 2);
    CHECK(reply.logprobs[1].token == "b");
  }
}
