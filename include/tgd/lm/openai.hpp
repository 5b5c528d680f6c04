// OpenAI: the OpenAI chat-completions protocol over libcurl, for any compatible base URL.
// API: https://platform.openai.com/docs/api-reference/chat/create
//
// One I/O thread drives one curl_multi with keep-alive connections. Requests beyond `max_in_flight` queue in order of arrival.
// What can help is retried (connect failures, timeouts, cut connections, 408, 409, 429, 5xx; once an answer that cannot be
// used) with jittered exponential backoff. Retry-After and retry-after-ms are obeyed; a 429 that carries one holds back all
// requests of this object, and each 429 halves the number in flight until answers come in again.
// A reply that was cut off by a token limit is returned as it is, with finish_reason "length".
// Errors: LMError with kind, HTTP status and whether a retry could help. The API key never appears in one. Redirects are not
// followed, because the key would go along.
// Thread-safety: like every ChatModel. The destructor cancels what is queued or running and returns promptly.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm {

struct TGD_API OpenAIOptions {
  std::string model = {};  ///< sent as "model" unless the request's args name one
  /// Else OPENAI_BASE_URL, else https://api.openai.com/v1. With or without /v1 at the end (it is added where no part of the
  /// path names a version); a URL that ends with /chat/completions is taken as it is.
  std::string base_url = {};
  std::string api_key = {};  ///< else OPENAI_API_KEY; local servers need none
  std::string organization = {};
  std::string project = {};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{600'000};  ///< of one attempt, queueing excluded
  int max_retries = 4;                         ///< further attempts after the first
  /// The backoff before retry k (from 0) is drawn from [0, min(retry_cap, retry_base * 2^k)].
  std::chrono::milliseconds retry_base{500};
  std::chrono::milliseconds retry_cap{30'000};
  /// An endpoint that asks for a longer wait ends the call with its error.
  std::chrono::milliseconds max_retry_after{120'000};
  std::size_t max_in_flight = 64;
  std::size_t max_reply_bytes = std::size_t{64} << 20;
  Json args = {};                                                 ///< default completion arguments
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< sent with every request; override tgd's own
};

class TGD_API OpenAI : public ChatModel {
 public:
  /// Throws ValueError for a base_url that is no http(s) URL or options out of range.
  explicit OpenAI(OpenAIOptions options = {});
  ~OpenAI() override;

  void start(Request request, Done done) override;
  std::string provider() const override { return "openai"; }
  std::string class_type() const override { return "OpenAI"; }
  std::string model_name() const override;
  Json identity() const override;
  Usage usage() const override;
  void add_usage(const Usage& usage) override;

  /// The URL that requests are posted to.
  std::string url() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the calls on their way
};

}  // namespace tgd::lm
