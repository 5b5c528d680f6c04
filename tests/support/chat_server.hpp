// ChatServer: any ChatModel as an OpenAI-compatible endpoint on the loopback interface, for tests, examples and benchmarks.
//
//   test::ChatServer server(lm::Stub::scripted({"hello"}));
//   lm::OpenAI client({.model = "any", .base_url = server.url()});
//
// Serves POST .../chat/completions, as a stream with a piece for each word when asked for one. An LMError becomes its HTTP status (500 when it has none) with an error body.
// Thread-safety: every member may be called from any thread. One thread a connection, at most `max_connections`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tgd/lm/chat_model.hpp>

#include "support/http_server.hpp"

namespace tgd::test {

struct ChatServerOptions {
  std::chrono::microseconds latency{0};  ///< fixed part of every reply's delay
  std::chrono::microseconds shuffle{0};  ///< limit of an added random part, which permutes the order of replies
  std::uint64_t seed = 0;                ///< of the random part
  std::size_t max_connections = 128;
};

class ChatServer {
 public:
  explicit ChatServer(lm::ChatModelPtr model, ChatServerOptions options = {});

  /// The base URL for a client, with /v1.
  std::string url() const { return server_.url() + "/v1"; }
  const HttpServer& http() const { return server_; }

 private:
  HttpServer server_;
};

/// The body of a chat completion with this content, as an endpoint would send it.
std::string completion_body(std::string_view content, std::string_view finish_reason = "stop");
/// One event of a stream.
std::string event(std::string_view data);
/// The body of an error, as an endpoint would send it.
std::string error_body(std::string_view message, std::string_view type = "invalid_request_error");
/// The request in a body as a client would send it. Throws tgd::Error when it is none.
lm::Request parse_chat_request(std::string_view body);

}  // namespace tgd::test
