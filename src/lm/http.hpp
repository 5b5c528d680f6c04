// HttpClient: posts bodies to one URL over libcurl. One I/O thread drives one curl_multi with keep-alive connections.
// It makes single attempts and reports how they ended; what to make of that is up to the caller.
// Thread-safety: every member may be called from any thread, also from within a callback.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace tgd::lm::detail {

struct HttpOptions {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds connect_timeout;
  std::chrono::milliseconds timeout;
  std::size_t max_in_flight;
  std::size_t max_reply_bytes;
};

struct HttpResult {
  enum class Ending {
    answered,  ///< a whole answer arrived, whatever its status
    failed,    ///< none did; `error` says why
    cancelled  ///< stopped by its stop token or by close()
  };

  Ending ending = Ending::cancelled;
  bool sent = false;  ///< whether an attempt was made at all; false for what was cancelled in the queue
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< names in lower case
  std::string body = {};
  bool delimited = false;  ///< the framing told where the body ends
  std::string error = {};
  bool retryable = false;  ///< of a failed attempt: whether another one could succeed

  /// The header's value, empty when there is none. `name` in lower case.
  std::string header(std::string_view name) const;
};

class HttpClient {
 public:
  using Clock = std::chrono::steady_clock;
  using Body = std::shared_ptr<const std::string>;  // shared, so that a retry need not copy it
  /// Called exactly once, without any lock held, on the I/O thread (or within post() after close()).
  using Done = std::function<void(const HttpResult&)>;

  explicit HttpClient(HttpOptions options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  /// Sends `body` when `not_before` is over and a place is free: first come first served, retries first.
  void post(Body body, Done done, std::stop_token stop = {}, Clock::time_point not_before = {});

  /// Sends nothing before `until`. To be called from a callback.
  void pause(Clock::time_point until);

  /// Cancels everything and ends the I/O thread. Returns when all callbacks ran, unless one of them calls this: then the rest
  /// is cancelled as soon as that callback returns.
  void close();

 private:
  class Core;
  std::shared_ptr<Core> core_;  // shared with the thread, which may outlive this object when a callback destroys it
};

}  // namespace tgd::lm::detail
