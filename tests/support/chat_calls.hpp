// Calls to a server of the test, in few words.
#pragma once

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <tgd/lm/openai.hpp>
#include <tgd/lm/stub.hpp>

#include "support/chat_server.hpp"
#include "support/http_server.hpp"

namespace tgd::test {

inline const std::string key = "test-key";

// Options for a server of the test: a key, and retries that do not hold the tests up.
inline lm::OpenAIOptions options_for(const std::string& url) {
  using std::chrono::milliseconds;
  return {.model = "m", .base_url = url, .api_key = key, .retry_base = milliseconds(1), .retry_cap = milliseconds(2)};
}

inline lm::Request ask(std::string text) { return lm::Request{.messages = {{"user", std::move(text)}}}; }

inline std::vector<lm::Request> numbered(int count) {
  std::vector<lm::Request> requests;
  requests.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) requests.push_back(ask(std::to_string(i)));
  return requests;
}

inline HttpResponse says(const std::string& content) { return {.body = completion_body(content)}; }

// Answers each request with the next of these, the last one for ever.
inline HttpServer::Handler replies(std::vector<HttpResponse> list) {
  return [list = std::move(list)](const HttpRequest& request) { return list[std::min(request.number, list.size() - 1)]; };
}

inline std::shared_ptr<lm::Stub> echo() {
  return lm::Stub::answering([](const lm::Request& request) { return "re: " + request.messages.back().content; });
}

// Without assertions, so that callbacks may use it on their own threads.
inline LMError error_of(const lm::Outcome& outcome) {
  try {
    lm::Outcome(outcome).value();
  } catch (const LMError& error) {
    return error;
  }
  throw std::logic_error("the call succeeded");
}

inline LMError error_of(lm::ChatModel& client) { return error_of(client.try_chat_all(numbered(1)).front()); }

// What was reported, without what is guessed where nothing was.
inline lm::Usage without_estimates(lm::Usage usage) {
  usage.estimated_prompt_tokens = usage.estimated_completion_tokens = 0;
  return usage;
}

// The outcome of a call that was started, to be waited for.
inline std::future<lm::Outcome> start(lm::ChatModel& client, lm::Request request) {
  auto promise = std::make_shared<std::promise<lm::Outcome>>();
  client.start(std::move(request), [promise](lm::Outcome outcome) { promise->set_value(std::move(outcome)); });
  return promise->get_future();
}

}  // namespace tgd::test
