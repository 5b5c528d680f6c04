#include <tgd/lm/openai.hpp>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <random>
#include <string_view>

#include <tgd/version.hpp>

#include "core/text.hpp"
#include "lm/endpoint.hpp"
#include "lm/http.hpp"
#include "lm/protocol.hpp"
#include "lm/retry.hpp"

namespace tgd::lm {

namespace {

using detail::HttpClient;
using detail::HttpResult;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr const char* default_base_url = "https://api.openai.com/v1";

std::string first_of(const std::string& given, const char* variable, const char* fallback) {
  if (!given.empty()) return given;
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr && *value != '\0' ? value : fallback;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// ---- Options ---------------------------------------------------------------------------------------------------------

template <class Number>
void require_positive(const char* name, Number value) {
  if (value <= Number(0)) throw ValueError(std::string(name) + " must be more than 0, but is " + std::to_string(value));
}

void check(const OpenAIOptions& options) {
  require_positive("connect_timeout (ms)", options.connect_timeout.count());
  require_positive("timeout (ms)", options.timeout.count());
  require_positive("retry_base (ms)", options.retry_base.count());
  require_positive("retry_cap (ms)", options.retry_cap.count());
  require_positive("max_retry_after (ms)", options.max_retry_after.count());
  require_positive("max_in_flight", options.max_in_flight);
  require_positive("max_reply_bytes", options.max_reply_bytes);
  if (options.max_retries < 0) {
    throw ValueError("max_retries must not be negative, but is " + std::to_string(options.max_retries));
  }
}

// What comes from the user and the environment, with defaults filled in.
OpenAIOptions resolved(OpenAIOptions options) {
  check(options);
  options.base_url = first_of(options.base_url, "OPENAI_BASE_URL", default_base_url);
  // Keys that were read from files end with a newline.
  options.api_key = tgd::detail::trim(first_of(options.api_key, "OPENAI_API_KEY", ""));
  return options;
}

// ---- Headers ---------------------------------------------------------------------------------------------------------

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// A line break in a header would let its value forge further headers. The value may be a secret and is not shown.
void check_header(const std::string& name, const std::string& value) {
  const auto ends_name = [](char c) { return is_control(c) || c == ':' || c == ' '; };
  if (name.empty() || std::any_of(name.begin(), name.end(), ends_name)) {
    throw ValueError("\"" + name + "\" is not the name of an HTTP header");
  }
  if (std::any_of(value.begin(), value.end(), is_control)) {
    throw ValueError("the value of the header " + name + " contains a line break or another control character; remove it");
  }
}

void set_header(Headers& headers, const std::string& name, const std::string& value) {
  check_header(name, value);
  const auto same = [&](const auto& header) { return lower(header.first) == lower(name); };
  headers.erase(std::remove_if(headers.begin(), headers.end(), same), headers.end());
  headers.emplace_back(name, value);
}

Headers make_headers(const OpenAIOptions& options) {
  Headers headers;
  set_header(headers, "Content-Type", "application/json");
  set_header(headers, "Accept", "application/json");
  set_header(headers, "User-Agent", "tgd/" + std::string(version()));
  if (!options.api_key.empty()) set_header(headers, "Authorization", "Bearer " + options.api_key);
  if (!options.organization.empty()) set_header(headers, "OpenAI-Organization", options.organization);
  if (!options.project.empty()) set_header(headers, "OpenAI-Project", options.project);
  for (const auto& [name, value] : options.headers) set_header(headers, name, value);
  return headers;
}

bool may_hold_secret(const std::string& header) {
  const std::string name = lower(header);
  const auto holds = [&](const char* word) { return name.find(word) != std::string::npos; };
  return holds("auth") || holds("key") || holds("token") || holds("secret") || holds("cookie");
}

// What must not appear in a message even when the endpoint quotes it.
std::vector<std::string> secrets_of(const OpenAIOptions& options) {
  std::vector<std::string> secrets = {options.api_key};
  for (const auto& [name, value] : options.headers) {
    if (!may_hold_secret(name)) continue;
    secrets.push_back(value);
    secrets.push_back(value.substr(value.rfind(' ') + 1));  // of "Bearer <secret>"
  }
  // What is shorter stands for "no key" ("none", "ollama"), and blanking it would garble the message.
  const auto is_none = [](const std::string& secret) { return secret.size() < 8; };
  secrets.erase(std::remove_if(secrets.begin(), secrets.end(), is_none), secrets.end());
  return secrets;
}

std::string without(const std::vector<std::string>& secrets, std::string text) {
  for (const std::string& secret : secrets) {
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

// One call on its way, with all its attempts.
struct Call {
  HttpClient::Body body;
  std::string model;
  ChatModel::Done done;
  std::stop_token stop;
  detail::RetryHistory history;
  Usage usage{.calls = 1};
};

}  // namespace

struct OpenAI::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(OpenAIOptions given)
      : options(resolved(std::move(given))),
        endpoint(detail::chat_endpoint(options.base_url)),
        secrets(secrets_of(options)),
        retry{options.max_retries, options.retry_base, options.retry_cap, options.max_retry_after},
        http({.url = endpoint.url,
              .headers = make_headers(options),
              .connect_timeout = options.connect_timeout,
              .timeout = options.timeout,
              .max_in_flight = options.max_in_flight,
              .max_reply_bytes = options.max_reply_bytes}) {}

  void start(Request request, Done done);
  void send(const std::shared_ptr<Call>& call, HttpClient::Clock::time_point not_before);
  void take(const std::shared_ptr<Call>& call, const HttpResult& result);
  std::optional<Outcome> judge(const std::shared_ptr<Call>& call, const HttpResult& result);
  std::variant<Reply, LMError> read(Call& call, const HttpResult& result);
  LMError failure(const Call& call, const LMError& error) const;

  const OpenAIOptions options;
  const detail::Endpoint endpoint;
  const std::vector<std::string> secrets;
  const detail::RetryPolicy retry;
  UsageMeter meter;
  std::mt19937_64 random{std::random_device{}()};  // touched by the I/O thread only
  HttpClient http;
};

void OpenAI::Impl::start(Request request, Done done) {
  meter.add({.calls = 1});
  try {
    auto call = std::make_shared<Call>();
    const Json args = options.args.merged(request.args);
    call->body = std::make_shared<const std::string>(detail::request_body(request.messages, args, options.model));
    call->model = args.get_text("model", options.model);
    call->stop = std::move(request.stop);
    call->done = std::move(done);
    send(call, {});
  } catch (const ValueError& error) {
    done(error);
  }
}

void OpenAI::Impl::send(const std::shared_ptr<Call>& call, HttpClient::Clock::time_point not_before) {
  // The call holds this object: it may outlive the OpenAI that a callback destroys.
  auto on_result = [self = shared_from_this(), call](const HttpResult& result) { self->take(call, result); };
  http.post(call->body, std::move(on_result), call->stop, not_before);
}

void OpenAI::Impl::take(const std::shared_ptr<Call>& call, const HttpResult& result) {
  std::optional<Outcome> outcome;
  try {
    outcome = judge(call, result);
  } catch (...) {
    outcome = Outcome(std::current_exception());
  }
  if (outcome) call->done(*std::move(outcome));
}

// How the call ends; nothing when it was sent again.
std::optional<Outcome> OpenAI::Impl::judge(const std::shared_ptr<Call>& call, const HttpResult& result) {
  if (result.sent) {
    ++call->usage.attempts;
    meter.add({.attempts = 1});
  }
  if (result.ending == HttpResult::Ending::cancelled) {
    return failure(*call, LMError(LMError::Kind::cancelled, "the call was cancelled"));
  }
  std::variant<Reply, LMError> read_result = read(*call, result);
  if (auto* reply = std::get_if<Reply>(&read_result)) {
    reply->usage = call->usage;
    return std::move(*reply);
  }
  const auto wait =
      detail::requested_wait(result.header("retry-after"), result.header("retry-after-ms"), std::chrono::system_clock::now());
  const auto& plain = std::get<LMError>(read_result);
  const LMError error(plain.kind(), plain.what(), plain.status(), plain.retryable(), wait);
  const double chance = std::uniform_real_distribution<double>(0, 1)(random);
  const auto delay = detail::next_delay(retry, error, call->history, chance);
  const auto now = HttpClient::Clock::now();
  if (error.status() == 429 && wait && *wait <= retry.longest_wait) http.pause(now + *wait);
  if (!delay) return failure(*call, error);
  ++call->history.retries;
  send(call, now + *delay);
  return std::nullopt;
}

std::variant<Reply, LMError> OpenAI::Impl::read(Call& call, const HttpResult& result) {
  if (result.ending == HttpResult::Ending::failed) {
    return LMError(LMError::Kind::transport, result.error, result.status, result.retryable);
  }
  if (result.status < 200 || result.status >= 300) {
    return detail::status_error(result.status, result.body, call.model, result.header("location"));
  }
  detail::ParsedReply parsed = detail::parse_reply(result.body, result.delimited);
  // A call counts once, even when two of its answers carried figures.
  parsed.usage.reported = std::min(parsed.usage.reported, 1 - call.usage.reported);
  call.usage += parsed.usage;
  meter.add(parsed.usage);
  const auto* error = std::get_if<LMError>(&parsed.result);
  if (error != nullptr && error->kind() != LMError::Kind::transport) ++call.history.unusable;
  return std::move(parsed.result);
}

LMError OpenAI::Impl::failure(const Call& call, const LMError& error) const {
  std::string message = "POST " + endpoint.display + ": " + error.what();
  if (call.usage.attempts > 1) message += " (after " + std::to_string(call.usage.attempts) + " attempts)";
  return {error.kind(), without(secrets, message), error.status(), error.retryable(), error.retry_after()};
}

OpenAI::OpenAI(OpenAIOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}

// The calls on their way hold the implementation, and it holds them: closing the client unties the knot.
OpenAI::~OpenAI() { impl_->http.close(); }

void OpenAI::start(Request request, Done done) { impl_->start(std::move(request), std::move(done)); }

std::string OpenAI::model_name() const { return impl_->options.args.get_text("model", impl_->options.model); }

Json OpenAI::identity() const {
  Json headers;
  for (const auto& [name, value] : impl_->options.headers) {
    if (!may_hold_secret(name)) headers = headers.with(lower(name), value);
  }
  return {{"provider", provider()},
          {"model", model_name()},
          {"endpoint", impl_->endpoint.display},
          {"args", impl_->options.args},
          {"headers", headers}};
}

Usage OpenAI::usage() const { return impl_->meter.total(); }

void OpenAI::add_usage(const Usage& usage) { impl_->meter.add(usage); }

std::string OpenAI::url() const { return impl_->endpoint.url; }

}  // namespace tgd::lm
