// OpenAI: the OpenAI chat-completions protocol over libcurl, for any compatible base URL.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/lm/chat_model.hpp>
#include <tgd/notice.hpp>

namespace tgd::lm {

/// What becomes of thoughts ("<think>…</think>" and other spellings) that a server leaves at the beginning of a reply's
/// content.
enum class Thoughts {
  strip,  ///< they go to Reply::reasoning; streams leave them out
  keep    ///< they stay where they are
};

/// How an endpoint is reached and what is asked of it. Checked by the constructor: ValueError, which never shows a key.
struct TGD_API OpenAIOptions {
  std::string model = {};  ///< sent as "model" unless the request's args name one
  /// Else OPENAI_BASE_URL, else https://api.openai.com/v1. With or without /v1 at the end (it is added where no part of the
  /// path names a version); a URL that ends with /chat/completions is taken as it is.
  std::string base_url = {};
  /// Else OPENAI_API_KEY, unless base_url holds a user's name and password or `headers` hold a key of their own; local servers
  /// need none.
  std::string api_key = {};
  std::string organization = {};
  std::string project = {};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{600'000};  ///< of one attempt, queueing excluded; a request's own goes before
  int max_retries = 4;                         ///< further attempts after the first
  /// The backoff before retry k (from 0) is drawn from [0, min(retry_cap, retry_base * 2^k)].
  std::chrono::milliseconds retry_base{500};
  std::chrono::milliseconds retry_cap{30'000};
  /// An endpoint that asks for a longer wait ends the call with its error.
  std::chrono::milliseconds max_retry_after{120'000};
  /// Of all attempts and the waits between them, from when the first is sent. Also cuts off the attempt that runs then.
  std::chrono::milliseconds max_retry_time{1'200'000};
  std::size_t max_in_flight = 64;
  std::optional<std::int64_t> requests_per_minute = {};  ///< sent in any 60 seconds, retries included; nothing: no limit
  /// The same for tokens: estimated when a request is sent (a token for 4 bytes, and the reply's limit or else the mean of the
  /// replies so far), corrected by what the reply reports.
  std::optional<std::int64_t> tokens_per_minute = {};
  Thoughts reasoning = Thoughts::strip;
  /// Whether the model takes messages of the role "system" (or "developer"). Where it does not, their text goes into the message of the
  /// user behind them; found out by itself where the endpoint refuses them.
  bool system_role = true;
  std::size_t max_reply_bytes = std::size_t{64} << 20;
  Json args = {};                                                 ///< default completion arguments
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< sent with every request; override tgd's own
  /// Headers whose values are secret whatever they are called. Others are when their names say so ("api-key", "authorization").
  std::vector<std::pair<std::string, std::string>> secret_headers = {};
  std::vector<std::pair<std::string, std::string>> query = {};  ///< added to the URL, unescaped
  /// Told once each: figures that cannot be, ends that nobody knows, bytes that had to be mended, system messages that are refused.
  /// From any thread; must not block.
  OnNotice on_notice = {};
};

/// The OpenAI chat-completions protocol over libcurl, for any compatible base URL.
/// API: https://platform.openai.com/docs/api-reference/chat/create
///
/// One I/O thread drives one curl_multi with keep-alive connections. Requests beyond `max_in_flight` queue in order of arrival.
/// What can help is retried (connect failures, timeouts, cut connections, 408, 409, 429, 5xx; once an answer that cannot be
/// used) with jittered exponential backoff. A wait that the endpoint names, in a header or in its message, is kept; one for
/// overload holds back all requests of this object. Overload, whatever its status, halves the number in flight and narrows the
/// requests a second to what the endpoint bore, until answers widen both again; while it answers others, being turned away for
/// it does not count against max_retries. So do x-ratelimit-remaining-* headers that say that nothing is left, until the time
/// that x-ratelimit-reset-* names. A reply that was cut off by a token limit is returned as it is, with finish_reason "length".
/// A stream gives out together what arrives together. It asks for usage at its end (stream_options), unless the endpoint has
/// refused that before. It is tried again only while no text was given out. One that ends without "[DONE]" and without a
/// finish_reason is an error, never a short reply.
/// Errors: LMError with kind, HTTP status and whether a retry could help. The API key never appears in one. Redirects are not
/// followed, because the key would go along.
/// Proxies are those of the environment (http_proxy, https_proxy, all_proxy, no_proxy), and so are the certificates of
/// authorities (CURL_CA_BUNDLE, else SSL_CERT_FILE and SSL_CERT_DIR, else libcurl's own). HTTP/2 is used where a TLS server
/// offers it. Replies may come compressed; limits of size are those of the reply itself.
/// Thread-safety: like every ChatModel. The destructor cancels what is queued or running and returns promptly.
class TGD_API OpenAI : public ChatModel {
 public:
  /// Throws ValueError for a base_url that is no http(s) URL or options out of range.
  explicit OpenAI(OpenAIOptions options = {});
  ~OpenAI() override;

  void start(Request request, Done done) override;
  void start_stream(Request request, OnText on_text, Done done) override;
  std::string provider() const override { return "openai"; }
  std::string class_type() const override { return "OpenAI"; }
  std::string model_name() const override;
  Json identity() const override;
  std::vector<std::string> secrets() const override;
  /// From the endpoint's list of models (/models), or from what it has said of a request that was too long.
  std::optional<std::int64_t> context_window() override;
  Usage usage() const override;
  void add_usage(const Usage& usage) override;

  /// The URL that requests are posted to.
  std::string url() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the calls on their way
};

}  // namespace tgd::lm
