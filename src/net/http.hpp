// HttpClient: posts bodies to one URL over libcurl. One I/O thread drives one curl_multi with keep-alive connections.
// It makes single attempts and reports how they ended; what to make of that is up to the caller.
// Thread-safety: every member may be called from any thread, also from within a callback.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/rate.hpp"

namespace tgd::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpOptions {
  std::string url;
  HttpHeaders headers;
  std::chrono::milliseconds connect_timeout;
  std::chrono::milliseconds timeout;
  /// Headers of limits (limits_left()) that name a later reset are ignored.
  std::chrono::milliseconds longest_wait;
  std::size_t max_in_flight;
  std::size_t max_reply_bytes;
  RateLimit::PerMinute per_minute;
};

/// What is sent. Shared with the client, so that a retry need not copy it.
struct HttpPost {
  bool only_asks = false;  ///< a GET, without a body
  std::string body = {};
  std::string url = {};      ///< instead of the client's, when not empty
  HttpHeaders headers = {};  ///< instead of the client's, when not empty
  bool compressible = true;  ///< whether the answer may come compressed
  std::int64_t tokens = 0;   ///< what it is estimated to cost
};

/// What another attempt could bring.
enum class Prospect {
  none,  ///< the same again
  some,  ///< hardly anything else: worth one more attempt
  good
};

struct HttpResult {
  enum class Fate {
    answered,   ///< a whole answer arrived, whatever its status
    failed,     ///< none did; `error` says why
    cancelled,  ///< stopped by its stop token or by close()
    expired     ///< its deadline passed
  };

  Fate ending = Fate::cancelled;
  bool sent = false;  ///< whether an attempt was made at all; false for what ended in the queue
  RateLimit::TimePoint sent_at = {};
  std::uint64_t number = 0;  ///< of the attempt, for correct_tokens()
  int status = 0;
  HttpHeaders headers = {};  ///< names in lower case
  std::string body = {};     ///< without what was given to a reader
  bool delimited = false;    ///< the framing told where the body ends
  std::string error = {};
  std::string wrong_encoding = {};  ///< what its header names and its body is not in, where that was found out by this attempt
  Prospect prospect = Prospect::none;  ///< of another attempt after a failed one

  /// The header's value, empty when there is none. `name` in lower case.
  std::string header(std::string_view name) const;
};

class HttpClient {
 public:
  using Clock = std::chrono::steady_clock;
  /// Called exactly once, without any lock held, on the I/O thread (or within post() after close()).
  using Done = std::function<void(const HttpResult&)>;

  enum class Reading {
    more,    ///< go on
    enough,  ///< the answer is complete: its connection may end in order, but nobody waits long for that
    stop     ///< end the attempt now; it fails
  };
  /// Gets the body of a 2xx answer piece by piece, on the I/O thread. Must not throw.
  using Reader = std::function<Reading(std::string_view)>;

  struct Sending {
    std::stop_token stop = {};
    std::stop_token hold = {};  ///< cancels it as long as it has not been sent
    Clock::time_point not_before = {};
    Clock::time_point deadline = Clock::time_point::max();
    std::optional<std::chrono::milliseconds> timeout = {};  ///< instead of the client's
    Reader reader = {};
    /// Asked just before it is sent: what to send instead; null for nothing else. On the I/O thread.
    std::function<std::shared_ptr<const HttpPost>()> revise = {};
  };

  explicit HttpClient(HttpOptions options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  /// Sends `post` when `not_before` is over, a place is free and the limits allow it: first come first served, retries first.
  void post(std::shared_ptr<const HttpPost> post, Done done, Sending sending);

  /// Sends nothing before `until`. To be called from a callback.
  void pause(Clock::time_point until);

  /// What the endpoint made of an attempt, as far as its pace is concerned: it was answered, or refused for overload. To be called from
  /// a callback.
  void note_answer();
  void note_overload(const HttpResult& result);

  /// What an attempt really cost. To be called from a callback.
  void correct_tokens(std::uint64_t number, std::int64_t tokens);

  /// Cancels everything and ends the I/O thread. Returns when all callbacks ran, unless one of them calls this: then the rest
  /// is cancelled as soon as that callback returns.
  void close();

  /// Whether this is the process that made it: in the child of a fork() nothing is sent.
  bool is_here() const noexcept;

 private:
  class Core;
  std::shared_ptr<Core> core_;  // shared with the thread, which may outlive this object when a callback destroys it
};

}  // namespace tgd::net
