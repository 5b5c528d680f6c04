// HttpServer: a real HTTP/1.1 server inside the test process, on a free port of the loopback interface. It can be slow, cut
// replies off, send garbage, and it counts what happens to it.
//
//   test::HttpServer server([](const test::HttpRequest& request) { return test::HttpResponse{.body = "hello"}; });
//   client.get(server.url() + "/path");
//
// The handler runs on the connection's own thread, so it may block, and several run at the same time.
// Thread-safety: every member may be called from any thread. The destructor cuts all connections and joins all threads; a
// handler that still blocks then holds it up, a reply's delay does not.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tgd::test {

struct HttpRequest {
  std::string method = {};
  std::string target = {};                          ///< path and query
  std::map<std::string, std::string> headers = {};  ///< names in lower case
  std::string body = {};
  std::size_t connection = 0;  ///< number of the connection, from 0
  std::size_t number = 0;      ///< number of the request on this server, from 0
};

struct HttpResponse {
  enum class Framing {
    length,        ///< Content-Length
    chunked,       ///< Transfer-Encoding: chunked, in chunks of `chunk_size`
    end_of_stream  ///< neither: the body ends where the connection does
  };
  static constexpr std::size_t everything = std::numeric_limits<std::size_t>::max();

  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  Framing framing = Framing::length;
  std::chrono::milliseconds delay{0};    ///< before the first byte; interrupted when the server ends
  std::size_t cut_after = everything;    ///< bytes of the body after which the connection is cut
  std::size_t stall_after = everything;  ///< bytes of the body after which nothing more comes until the server ends
  std::size_t chunk_size = 7;
  bool close = false;    ///< end the connection after this reply
  std::string raw = {};  ///< when not empty: sent instead of all of the above, then the connection ends
};

/// A reply that never comes: the connection stays open and silent until the server ends.
HttpResponse silence();
/// A connection that is cut before the first byte of a reply.
HttpResponse hang_up();
/// The same, but rudely: the client's system hears that the connection is void.
HttpResponse reset();

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  /// Further clients wait in the backlog when `max_connections` are open.
  explicit HttpServer(Handler handler, std::size_t max_connections = 256);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  int port() const;
  /// "http://127.0.0.1:<port>", without a slash at the end.
  std::string url() const;

  /// What was asked so far, in order of arrival.
  std::vector<HttpRequest> requests() const;
  std::size_t request_count() const;
  /// How many connections were accepted.
  std::size_t connections() const;
  /// The highest number of requests that were being answered at the same time.
  std::size_t max_concurrent() const;
  /// Waits until `count` requests have arrived. False when they did not within a minute.
  bool wait_for_requests(std::size_t count) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A loopback port on which nothing listens.
int closed_port();

}  // namespace tgd::test
