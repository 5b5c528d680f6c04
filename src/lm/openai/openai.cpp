#include <tgd/lm/openai.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <future>
#include <optional>
#include <random>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>
#include <tgd/lm/tokens.hpp>
#include <tgd/version.hpp>

#include "core/callbacks.hpp"
#include "core/one_line.hpp"
#include "core/origin.hpp"
#include "core/saturating.hpp"
#include "core/seconds.hpp"
#include "core/text.hpp"
#include "lm/call_secrets.hpp"
#include "lm/lenient_json.hpp"
#include "lm/openai/endpoint.hpp"
#include "lm/openai/errors.hpp"
#include "lm/openai/protocol.hpp"
#include "lm/openai/rejections.hpp"
#include "lm/openai/stream.hpp"
#include "net/headers.hpp"
#include "net/http.hpp"
#include "net/retry.hpp"
#include "net/secrets.hpp"

namespace tgd::lm {

namespace {

using net::Headers;
using net::HttpClient;
using net::HttpPost;
using net::HttpResult;
using net::Secrets;
using net::set_header;
using tgd::detail::expect_span;
using tgd::detail::saturated_sum;
using Clock = HttpClient::Clock;
using Kind = LMError::Kind;

// So long after its last answer an endpoint that refuses for overload is taken to be busy and not to be gone: limits are of a minute.
constexpr std::chrono::seconds patience_with_overload{70};

// So long a request that was turned down waits for others to begin.
constexpr std::chrono::milliseconds patience_for_others{200};

constexpr const char* default_base_url = "https://api.openai.com/v1";

std::string first_of(const std::string& given, const char* variable, const char* fallback) {
  if (!given.empty()) return given;
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr && *value != '\0' ? value : fallback;
}

// ---- Options ---------------------------------------------------------------------------------------------------------

template <class Number>
void require_positive(const char* name, Number value) {
  if (value <= Number(0)) throw ValueError(std::string(name) + " must be more than 0, but is " + std::to_string(value));
}

void require_not_negative(const char* name, std::int64_t value) {
  if (value < 0) throw ValueError(std::string(name) + " must not be negative, but is " + std::to_string(value));
}

void check(const OpenAIOptions& options) {
  expect_span(options.connect_timeout, "connect_timeout");
  expect_span(options.timeout, "timeout");
  expect_span(options.retry_base, "retry_base");
  expect_span(options.retry_cap, "retry_cap");
  expect_span(options.max_retry_after, "max_retry_after");
  expect_span(options.max_retry_time, "max_retry_time");
  require_positive("requests_per_minute", options.requests_per_minute.value_or(1));
  require_positive("tokens_per_minute", options.tokens_per_minute.value_or(1));
  require_not_negative("max_retries", options.max_retries);
  require_positive("max_in_flight", options.max_in_flight);
  require_positive("max_reply_bytes", options.max_reply_bytes);
}

bool names_key(const std::pair<std::string, std::string>& header) {
  constexpr std::array names = {"authorization", "api-key", "x-api-key", "ocp-apim-subscription-key", "x-goog-api-key"};
  const std::string name = tgd::detail::lower_case(header.first);
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Whoever says in the URL or in a header who he is does not send the key of another service, which the environment may hold, besides.
bool says_who_asks(const OpenAIOptions& options) {
  return detail::chat_endpoint(options.base_url).has_credentials || !options.secret_headers.empty() ||
         std::any_of(options.headers.begin(), options.headers.end(), names_key);
}

// What comes from the user and the environment, with defaults filled in.
OpenAIOptions resolved(OpenAIOptions options) {
  check(options);
  options.base_url = first_of(options.base_url, "OPENAI_BASE_URL", default_base_url);
  if (options.api_key.empty() && !says_who_asks(options)) options.api_key = first_of("", "OPENAI_API_KEY", "");
  // Keys that were read from files end with a newline.
  options.api_key = tgd::detail::trim(options.api_key);
  return options;
}

// ---- Headers ---------------------------------------------------------------------------------------------------------

Headers make_headers(const OpenAIOptions& options) {
  Headers headers;
  set_header(headers, "Content-Type", "application/json");
  set_header(headers, "Accept", "application/json");
  set_header(headers, "User-Agent", "tgd/" + std::string(version()));
  if (!options.api_key.empty()) set_header(headers, "Authorization", "Bearer " + options.api_key);
  if (!options.organization.empty()) set_header(headers, "OpenAI-Organization", options.organization);
  if (!options.project.empty()) set_header(headers, "OpenAI-Project", options.project);
  for (const auto& [name, value] : options.headers) set_header(headers, name, value);
  for (const auto& [name, value] : options.secret_headers) set_header(headers, name, value);
  return headers;
}

// What must not appear in a message even when the endpoint quotes it.
std::shared_ptr<const Secrets> secrets_of(const OpenAIOptions& options, const detail::Endpoint& endpoint) {
  auto secrets = std::make_shared<Secrets>(endpoint.secrets);
  secrets->add(options.api_key);
  secrets->add_named(options.headers);
  for (const auto& header : options.secret_headers) secrets->add(header.second);
  return secrets;
}

// What is no secret, as an object.
Json shown(const Headers& named_values) {
  Json object;
  for (const auto& [name, value] : net::without_secrets(named_values)) object = object.with(name, value);
  return object;
}

// What a streamed call has besides.
struct Stream {
  ChatModel::OnText on_text;
  detail::ChatStream reading{};
  bool gave_text = false;
  std::exception_ptr thrown = {};  // by on_text
};

// One call on its way, with all its attempts.
struct CallState {
  std::shared_ptr<const HttpPost> post;
  std::string model;
  std::shared_ptr<const Secrets> secrets;  // the model's, and those of its own options
  ChatModel::Done done;
  HttpClient::Sending sending;  // its deadline is that of the whole call
  std::unique_ptr<Stream> stream;
  bool asks_for_usage = false;                                 // of a stream that tgd asked for figures
  bool is_folded = false;                                      // its body has no system messages any more
  bool was_revised = false;                                    // its body is another one than that which was refused
  std::function<std::vector<Message>(std::size_t)> shortened;  // empty once it was tried, too
  bool is_own = false;                                         // asked by tgd itself, which has settings for its length
  std::int64_t estimated_prompt_tokens = 0;
  std::string like;                                  // see Rejections
  detail::Rejections::VerdictPtr verdict = nullptr;  // while it waits for one
  net::RetryHistory history;
  std::optional<Clock::time_point> first_sent;
  std::optional<LMError> last_error;
  Usage usage{.calls = 1};
};
using CallPtr = std::shared_ptr<CallState>;

void give(Stream& stream, const std::string& text) noexcept {
  if (text.empty() || stream.thrown) return;
  stream.gave_text = true;
  try {
    stream.on_text(text);
  } catch (...) {
    stream.thrown = std::current_exception();
  }
}

HttpClient::Reading read_piece(Stream& stream, std::string_view bytes) {
  using Reading = HttpClient::Reading;
  give(stream, stream.reading.feed(bytes));
  if (stream.thrown) return Reading::stop;
  return stream.reading.complete() ? Reading::enough : Reading::more;
}

// Why an attempt brought no whole answer; nothing when it brought one.
std::optional<LMError> interruption(const CallState& call, const HttpResult& result) {
  switch (result.ending) {
    case HttpResult::Fate::answered:
      return std::nullopt;
    case HttpResult::Fate::failed:
      return LMError(Kind::transport, result.error, result.status, result.prospect != net::Prospect::none);
    case HttpResult::Fate::cancelled:
      if (call.last_error && !call.sending.stop.stop_requested() && call.sending.hold.stop_requested()) break;
      return LMError(Kind::cancelled, "the call was cancelled");
    case HttpResult::Fate::expired:
      break;
  }
  if (call.sending.deadline <= Clock::now())
    return LMError(Kind::cancelled, "the call's deadline passed before it was answered");
  // Only further attempts end with the time for retries, or are held back, so there is an error that came before.
  return LMError(call.last_error->kind(), call.last_error->what(), call.last_error->status(), call.last_error->retryable());
}

std::optional<std::chrono::milliseconds> wait_in_headers(const HttpResult& result) {
  return net::requested_wait(result.header("retry-after"), result.header("retry-after-ms"), std::chrono::system_clock::now());
}

bool is_overload(const detail::ParsedReply& parsed) {
  return parsed.trouble && parsed.trouble->cause == detail::EndpointError::Cause::overload;
}

LMError with_remark(const LMError& error, const std::string& remark) {
  return {error.kind(), error.what() + ("; " + remark), error.status(), error.retryable(), error.retry_after()};
}

}  // namespace

struct OpenAI::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(OpenAIOptions given)
      : options(resolved(std::move(given))),
        endpoint(detail::chat_endpoint(options.base_url, options.query)),
        headers(make_headers(options)),
        secrets(secrets_of(options, endpoint)),
        retry{options.max_retries, options.retry_base, options.retry_cap, options.max_retry_after},
        http({.url = endpoint.url,
              .headers = headers,
              .connect_timeout = options.connect_timeout,
              .timeout = options.timeout,
              .longest_wait = options.max_retry_after,
              .max_in_flight = options.max_in_flight,
              .max_reply_bytes = options.max_reply_bytes,
              .per_minute = {options.requests_per_minute.value_or(0), options.tokens_per_minute.value_or(0)}}) {
    takes_system = options.system_role;
  }

  void start(Request request, std::unique_ptr<Stream> stream, Done done);
  CallPtr make_call(Request& request, std::unique_ptr<Stream> stream) const;
  std::shared_ptr<const HttpPost> make_post(const Request& request, const Json& args, detail::Streaming streaming) const;
  std::int64_t estimated_tokens(std::size_t body_size, const Json& args) const;

  void send(const CallPtr& call, Clock::time_point not_before);
  Clock::time_point deadline_of(const CallState& call) const;
  void take(const CallPtr& call, const HttpResult& result);
  std::optional<Outcome> judge(const CallPtr& call, const HttpResult& result);
  void end(const CallPtr& call, Outcome outcome);
  std::optional<Outcome> turned_down(const CallPtr& call, const LMError& error, const detail::ParsedReply& parsed);
  void wait_for_verdict(const CallPtr& call);
  std::optional<Outcome> after_waiting(const CallPtr& call, const HttpResult& result);
  Outcome judged(CallState& call) const;
  std::optional<Outcome> try_again(const CallPtr& call, const HttpResult& result, const detail::ParsedReply& parsed);
  bool try_without_stream_options(const CallPtr& call, const HttpResult& result);
  void count_attempt(CallState& call, const HttpResult& result);
  void say_once(std::atomic<bool>& said, Notice::Kind kind, const std::string& text) const;
  void say_what_is_odd(const CallState& call, const HttpResult& result, const detail::ParsedReply& parsed);
  void note_pace(const detail::ParsedReply& parsed, const HttpResult& result);
  bool try_folded(const CallPtr& call, const detail::ParsedReply& parsed);
  bool try_shorter(const CallPtr& call, const detail::ParsedReply& parsed);
  bool send_shorter(const CallPtr& call, std::int64_t asked);
  void find_window(std::function<void()> then);
  void fold(CallState& call) const;
  void count_tokens(CallState& call, const HttpResult& result, Usage usage);
  detail::ParsedReply read(CallState& call, const HttpResult& result);
  Outcome too_long(const CallState& call, const LMError& error) const;
  Outcome failure(const CallState& call, const LMError& error) const;

  const OpenAIOptions options;
  const detail::Endpoint endpoint;
  const Headers headers;
  const std::shared_ptr<const Secrets> secrets;
  const net::RetryPolicy retry;
  UsageMeter meter;
  detail::Rejections rejections;
  std::atomic<bool> said_absurd = false;
  std::atomic<bool> said_end = false;
  std::atomic<bool> said_end_mark = false;
  std::atomic<bool> said_mended = false;
  std::atomic<bool> said_encoding = false;
  std::atomic<bool> said_folded = false;
  std::atomic<bool> takes_system = true;  // until the endpoint says otherwise, or the options
  std::atomic<bool> asked_for_window = false;
  std::atomic<std::int64_t> window = 0;            // tokens that the model takes, as far as the endpoint has told; 0: not known
  std::optional<Clock::time_point> answered;       // when it last answered anybody; touched by the I/O thread only
  std::atomic<bool> takes_stream_options = true;   // until the endpoint says otherwise
  std::mt19937_64 random{std::random_device{}()};  // touched by the I/O thread only
  HttpClient http;
};

// ---- Out ---------------------------------------------------------------------------------------------------------------

void OpenAI::Impl::start(Request request, std::unique_ptr<Stream> stream, Done done) {
  if (http.is_here()) meter.add({.calls = 1});  // elsewhere another thread may have been adding just then
  CallPtr call;
  try {
    if (!http.is_here()) throw tgd::detail::Origin::error("the model");
    call = make_call(request, std::move(stream));
  } catch (...) {
    return done(Outcome(std::current_exception(), {.calls = 1}));
  }
  call->done = std::move(done);
  rejections.begin(call->like);
  send(call, {});
}

CallPtr OpenAI::Impl::make_call(Request& request, std::unique_ptr<Stream> stream) const {
  auto call = std::make_shared<CallState>();
  const Json args = options.args.merged(request.args);
  using detail::Streaming;
  call->asks_for_usage = stream && takes_stream_options && !args.contains("stream_options");
  call->post = make_post(request, args,
                         !stream                ? Streaming::none
                         : call->asks_for_usage ? Streaming::with_usage
                                                : Streaming::plain);
  call->model = args.get_text("model", options.model);
  call->secrets = detail::with_secrets_of(request, secrets);
  call->like = request.info.purpose + request.args.dump();
  if (request.options.timeout) expect_span(*request.options.timeout, "CallOptions::timeout");
  call->sending = {.stop = std::move(request.stop),
                   .hold = std::move(request.options.stop_sending),
                   .deadline = request.options.deadline.value_or(Clock::time_point::max()),
                   .timeout = request.options.timeout.value_or(options.timeout)};
  call->stream = std::move(stream);
  call->shortened = std::move(request.shortened);
  call->is_own = call->shortened != nullptr;
  call->estimated_prompt_tokens = estimate_prompt_tokens(request);
  return call;
}

std::shared_ptr<const HttpPost> OpenAI::Impl::make_post(const Request& request, const Json& args,
                                                        detail::Streaming streaming) const {
  auto post = std::make_shared<HttpPost>();
  post->body = detail::request_body(request.messages, args, options.model, streaming);
  post->body.shrink_to_fit();  // it may wait for long
  post->tokens = estimated_tokens(post->body.size(), args);
  const bool streams = streaming != detail::Streaming::none;
  post->compressible = !streams;  // a compressor waits for more before it passes anything on
  if (!request.options.query.empty()) post->url = detail::with_query(endpoint.url, request.options.query);
  if (request.options.headers.empty() && !streams) return post;
  post->headers = headers;
  if (streams) set_header(post->headers, "Accept", "text/event-stream, application/json");
  for (const auto& [name, value] : request.options.headers) set_header(post->headers, name, value);
  return post;
}

std::int64_t OpenAI::Impl::estimated_tokens(std::size_t body_size, const Json& args) const {
  const auto prompt = static_cast<std::int64_t>(body_size / 4);
  if (const auto limit = detail::reply_limit(args)) return saturated_sum(prompt, *limit);
  const Usage used = meter.total();
  return saturated_sum(prompt, used.completion_tokens / std::max<std::int64_t>(1, used.reported));
}

void OpenAI::Impl::send(const CallPtr& call, Clock::time_point not_before) {
  HttpClient::Sending sending = call->sending;
  sending.not_before = not_before;
  sending.deadline = deadline_of(*call);
  sending.timeout = std::min(*sending.timeout, options.max_retry_time);
  if (call->stream) {
    call->stream->reading = detail::ChatStream(options.reasoning, call->secrets);
    sending.reader = [call](std::string_view bytes) { return read_piece(*call->stream, bytes); };
  }
  // What was learned while it waited counts as well.
  sending.revise = [this, call]() -> std::shared_ptr<const HttpPost> {
    if (takes_system || call->is_folded) return nullptr;
    fold(*call);
    return call->post;
  };
  // The call holds this object: it may outlive the OpenAI that a callback destroys.
  auto on_result = [self = shared_from_this(), call](const HttpResult& result) { self->take(call, result); };
  http.post(call->post, std::move(on_result), std::move(sending));
}

// Of the next attempt: the call's own, and the end of the time for retries.
Clock::time_point OpenAI::Impl::deadline_of(const CallState& call) const {
  if (!call.first_sent) return call.sending.deadline;
  return std::min(call.sending.deadline, *call.first_sent + options.max_retry_time);
}

// ---- Back --------------------------------------------------------------------------------------------------------------

void OpenAI::Impl::take(const CallPtr& call, const HttpResult& result) {
  std::optional<Outcome> outcome;
  try {
    count_attempt(*call, result);
    outcome = judge(call, result);
  } catch (...) {
    outcome = Outcome(std::current_exception(), call->usage);
  }
  if (outcome) end(call, *std::move(outcome));
}

void OpenAI::Impl::end(const CallPtr& call, Outcome outcome) {
  rejections.end(call->like, outcome.ok());
  call->done(std::move(outcome));
}

void OpenAI::Impl::count_attempt(CallState& call, const HttpResult& result) {
  if (!result.sent) return;
  if (!call.first_sent) call.first_sent = result.sent_at;
  ++call.usage.attempts;
  meter.add({.attempts = 1});
}

// How the call ends; nothing when it was sent again.
std::optional<Outcome> OpenAI::Impl::judge(const CallPtr& call, const HttpResult& result) {
  if (call->verdict) return after_waiting(call, result);
  detail::ParsedReply parsed = read(*call, result);
  if (call->stream && call->stream->thrown) return Outcome(call->stream->thrown, call->usage);
  note_pace(parsed, result);
  say_what_is_odd(*call, result, parsed);
  if (auto* reply = std::get_if<Reply>(&parsed.result)) {
    reply->usage = call->usage;
    return std::move(*reply);
  }
  const auto& error = std::get<LMError>(parsed.result);
  if (error.kind() == Kind::cancelled) return failure(*call, error);
  call->last_error = error;
  const bool gave_text = call->stream && call->stream->gave_text;
  if (!gave_text && (try_without_stream_options(call, result) || try_folded(call, parsed) || try_shorter(call, parsed))) {
    return std::nullopt;
  }
  if (error.kind() == Kind::too_long) return too_long(*call, error);
  return try_again(call, result, parsed);
}

detail::ParsedReply OpenAI::Impl::read(CallState& call, const HttpResult& result) {
  const std::optional<LMError> interrupted = interruption(call, result);
  if (!interrupted && (result.status < 200 || result.status >= 300)) {
    const std::string location = result.header("location");
    const bool is_wait_named = wait_in_headers(result).has_value();
    return detail::read_refusal(result.status, result.body,
                                {.model = call.model,
                                 .location = location,
                                 .added_version = endpoint.added_version && call.post->url.empty(),
                                 .is_wait_named = is_wait_named},
                                *call.secrets);
  }
  if (result.ending == HttpResult::Fate::failed && result.prospect == net::Prospect::some) ++call.history.doubtful;
  if (interrupted && !call.stream) return {.result = *interrupted, .usage = {}};
  detail::ParsedReply parsed;
  if (call.stream) {
    detail::ChatStream::Finish ending = call.stream->reading.finish(result.delimited, interrupted);
    give(*call.stream, ending.rest);
    parsed = std::move(ending.parsed);
  } else {
    parsed = detail::read_body(result.body, result.delimited, options.reasoning, *call.secrets);
  }
  // A gateway's own figure, beside the body.
  if (parsed.usage.priced == 0) {
    if (const auto usd = net::number_in(result.header("x-litellm-response-cost"))) detail::note_cost(parsed.usage, *usd);
  }
  count_tokens(call, result, parsed.usage);
  const auto* error = std::get_if<LMError>(&parsed.result);
  if (error == nullptr) return parsed;
  if (error->kind() != Kind::transport && !is_overload(parsed)) ++call.history.unusable;
  const std::string encoding = result.header("content-encoding");
  const bool is_unread = error->kind() == Kind::malformed || error->kind() == Kind::unreadable;
  if (is_unread && !encoding.empty() && encoding != "identity")
    parsed.result = with_remark(*error, "it came with \"Content-Encoding: " + encoding + "\"");
  return parsed;
}

// ---- What is learned of the endpoint -----------------------------------------------------------------------------------

void OpenAI::Impl::note_pace(const detail::ParsedReply& parsed, const HttpResult& result) {
  if (is_overload(parsed)) return http.note_overload(result);
  if (result.ending != HttpResult::Fate::answered) return;
  http.note_answer();
  if (std::holds_alternative<Reply>(parsed.result)) answered = Clock::now();
}

void OpenAI::Impl::say_once(std::atomic<bool>& said, Notice::Kind kind, const std::string& text) const {
  if (said.exchange(true)) return;
  tgd::detail::call_back(options.on_notice, Notice{.kind = kind, .operation = "OpenAI", .role = {}, .item = {}, .text = text});
}

void OpenAI::Impl::say_what_is_odd(const CallState& call, const HttpResult& result, const detail::ParsedReply& parsed) {
  if (!result.wrong_encoding.empty()) {
    say_once(said_encoding, Notice::Kind::wrong_encoding,
             endpoint.display + " sends answers that are not in the encoding that their header names (Content-Encoding: " +
                 call.secrets->blank_quoted(result.wrong_encoding) +
                 "); they are read as they come; a proxy before it may unpack them and leave the header standing");
  }
  if (!parsed.absurd_usage.empty()) {
    say_once(said_absurd, Notice::Kind::unknown_usage,
             endpoint.display + " reports figures that cannot be (" + parsed.absurd_usage +
                 "); what such calls used counts as unknown");
  }
  if (!parsed.unknown_end.empty()) {
    say_once(said_end, Notice::Kind::unknown_end,
             endpoint.display + " ends a reply with the finish_reason \"" + call.secrets->blank_quoted(parsed.unknown_end) +
                 "\", which is not known; such a reply counts as whole where it has text");
  }
  if (!parsed.end_mark.empty()) {
    say_once(said_end_mark, Notice::Kind::end_marks,
             endpoint.display + " leaves marks that end a turn at the end of replies (\"" +
                 call.secrets->blank_quoted(parsed.end_mark) +
                 "\"); they are taken off, as no text of an answer; the server's chat template or its \"stop\" is wrong");
  }
  if (!parsed.mended.empty()) {
    say_once(said_mended, Notice::Kind::repaired_text,
             endpoint.display + " sent bytes that are no UTF-8, the first at " + call.secrets->blank_quoted(parsed.mended) +
                 "; U+FFFD stands in their place");
  }
}

void OpenAI::Impl::fold(CallState& call) const {
  call.is_folded = true;
  std::optional<std::string> body = detail::folded_body(call.post->body);
  if (!body) return;
  auto post = std::make_shared<HttpPost>(*call.post);
  post->body = *std::move(body);
  call.post = std::move(post);
  call.was_revised = true;
}

// Learned once for the model; what was refused before that is sent again at once, because the endpoint is well.
bool OpenAI::Impl::try_folded(const CallPtr& call, const detail::ParsedReply& parsed) {
  if (!parsed.trouble || parsed.trouble->cause != detail::EndpointError::Cause::roles) return false;
  if (call->is_folded) {
    // It meant something else.
    if (options.system_role) takes_system = true;
    return false;
  }
  fold(*call);
  if (!call->was_revised) return false;
  takes_system = false;
  say_once(
      said_folded, Notice::Kind::folded_system,
      call->model + " at " + endpoint.display + " takes no system messages (" +
          call->secrets->blank_quoted(tgd::detail::one_line(parsed.trouble->message)) +
          "); their text goes into the message of the user behind them (\"system_role\": false says so from the beginning)");
  send(call, {});
  return true;
}

bool OpenAI::Impl::try_shorter(const CallPtr& call, const detail::ParsedReply& parsed) {
  if (!parsed.trouble || parsed.trouble->cause != detail::EndpointError::Cause::too_long) return false;
  const detail::EndpointError& trouble = *parsed.trouble;
  if (trouble.window > 0) window = trouble.window;
  if (!call->shortened) return false;
  if (window > 0 || asked_for_window) return send_shorter(call, trouble.asked);
  // Asked for here and not before: most runs never need it.
  find_window([self = shared_from_this(), call, asked = trouble.asked, error = std::get<LMError>(parsed.result)] {
    if (!self->send_shorter(call, asked)) self->end(call, self->too_long(*call, error));
  });
  return true;
}

void OpenAI::Impl::find_window(std::function<void()> then) {
  asked_for_window = true;
  auto post = std::make_shared<HttpPost>();
  post->only_asks = true;
  post->url = endpoint.models_url;
  auto on_result = [self = shared_from_this(), then = std::move(then)](const HttpResult& result) {
    if (result.ending == HttpResult::Fate::answered && result.status == 200) {
      const std::string model = self->options.args.get_text("model", self->options.model);
      if (const std::int64_t found = detail::window_in_list(result.body, model); found > 0) self->window = found;
    }
    then();
  };
  constexpr std::chrono::seconds patience{20};
  http.post(post, std::move(on_result), {.deadline = Clock::now() + patience, .timeout = patience});
}

bool OpenAI::Impl::send_shorter(const CallPtr& call, std::int64_t asked_tokens) {
  const auto shortened = std::exchange(call->shortened, {});
  const auto bytes = static_cast<double>(call->post->body.size());
  // As many as fit by the endpoint's own count, with room for the reply; half of it where nothing is known.
  double wanted = bytes / 2;
  if (window > 0) {
    const auto asked =
        static_cast<double>(asked_tokens > window ? asked_tokens : std::max<std::int64_t>(1, call->estimated_prompt_tokens));
    wanted = std::min(bytes * 0.8, bytes / asked * static_cast<double>(window) * 0.7);
  }
  const std::vector<Message> messages = shortened(static_cast<std::size_t>(wanted));
  if (messages.empty()) return false;
  auto post = std::make_shared<HttpPost>(*call->post);
  post->body = detail::with_messages(post->body, messages);
  if (post->body.size() >= call->post->body.size()) return false;
  call->post = std::move(post);
  if (std::exchange(call->is_folded, false)) fold(*call);
  send(call, {});
  return true;
}

void OpenAI::Impl::count_tokens(CallState& call, const HttpResult& result, Usage usage) {
  if (usage.reported > 0) http.correct_tokens(result.number, saturated_sum(usage.prompt_tokens, usage.completion_tokens));
  if (usage.estimated_completion_tokens > 0) usage.estimated_prompt_tokens = call.estimated_prompt_tokens;
  // A call counts once, even when two of its answers carried figures.
  usage.priced = std::min(usage.priced, 1 - call.usage.priced);
  usage.reported = std::min(usage.reported, 1 - call.usage.reported);
  call.usage += usage;
  meter.add(usage);
}

// Not a retry: the endpoint is well and only older than the option.
bool OpenAI::Impl::try_without_stream_options(const CallPtr& call, const HttpResult& result) {
  if (!call->asks_for_usage || !detail::refuses_stream_options(result.status, result.body)) return false;
  takes_stream_options = false;
  call->asks_for_usage = false;
  auto post = std::make_shared<HttpPost>(*call->post);
  post->body = detail::without_stream_options(post->body);
  call->post = std::move(post);
  send(call, {});
  return true;
}

std::optional<Outcome> OpenAI::Impl::try_again(const CallPtr& call, const HttpResult& result,
                                               const detail::ParsedReply& parsed) {
  const auto& plain = std::get<LMError>(parsed.result);
  // What headers ask for goes before what a message says in words.
  auto wait = wait_in_headers(result);
  if (!wait) wait = plain.retry_after();
  const LMError error(plain.kind(), plain.what(), plain.status(), plain.retryable(), wait);
  const double chance = std::uniform_real_distribution<double>(0, 1)(random);
  const auto now = Clock::now();
  // Who is turned away while others are served only waits for its turn.
  const bool is_queued = is_overload(parsed) && answered && now - *answered < patience_with_overload;
  const auto delay = net::next_delay(retry, error, call->history, chance, is_queued);
  if (is_overload(parsed) && wait && *wait <= retry.longest_wait) http.pause(now + *wait);
  if (!delay && wait && *wait > retry.longest_wait && error.retryable()) {
    return failure(*call, with_remark(error, "the endpoint asks to wait for " + net::in_seconds(*wait) +
                                                 ", which is longer than is allowed (max_retry_after, " +
                                                 net::in_seconds(retry.longest_wait) + ")"));
  }
  if (!delay) return turned_down(call, error, parsed);
  if (call->sending.hold.stop_requested()) {
    return failure(*call, with_remark(error, "not tried again, because nothing more is to be sent"));
  }
  if (call->stream && call->stream->gave_text) {
    return failure(*call, with_remark(error, "not tried again, because part of the reply was given out already"));
  }
  if (call->first_sent && now + *delay >= *call->first_sent + options.max_retry_time) {
    return failure(*call, with_remark(error, "no time is left for another attempt (max_retry_time)"));
  }
  ++(is_queued ? call->history.queued : call->history.retries);
  send(call, now + *delay);
  return std::nullopt;
}

// The last word on a request, unless it is the endpoint that has to be judged by what becomes of others. It waits for that like one that
// is to be sent, so that it can be cancelled.
std::optional<Outcome> OpenAI::Impl::turned_down(const CallPtr& call, const LMError& error, const detail::ParsedReply& parsed) {
  const bool is_unexplained = parsed.trouble && parsed.trouble->cause == detail::EndpointError::Cause::other;
  const bool gave_text = call->stream && call->stream->gave_text;
  if (!is_unexplained || gave_text) return failure(*call, error);
  constexpr int bad_request = 400;
  constexpr int unprocessable = 422;
  if (error.status() != bad_request && error.status() != unprocessable) return failure(*call, error);
  call->last_error = error;
  call->verdict = rejections.reject(call->like);
  if (call->verdict->is_known()) return judged(*call);
  wait_for_verdict(call);
  return std::nullopt;
}

void OpenAI::Impl::wait_for_verdict(const CallPtr& call) {
  HttpClient::Sending never = call->sending;
  never.hold = call->verdict->known.get_token();
  never.not_before = Clock::time_point::max();
  never.deadline = std::min(never.deadline, Clock::now() + patience_for_others);
  http.post(
      call->post, [self = shared_from_this(), call](const HttpResult& result) { self->take(call, result); }, std::move(never));
}

std::optional<Outcome> OpenAI::Impl::after_waiting(const CallPtr& call, const HttpResult& result) {
  const bool is_due = result.ending == HttpResult::Fate::expired && call->sending.deadline > Clock::now();
  if (is_due) rejections.expect_others(call->like);
  if (call->verdict->is_known()) return judged(*call);
  if (!is_due) return failure(*call, *interruption(*call, result));
  wait_for_verdict(call);
  return std::nullopt;
}

Outcome OpenAI::Impl::judged(CallState& call) const {
  const LMError& error = *call.last_error;
  if (!call.verdict->is_of_request) return failure(call, error);
  return failure(call,
                 LMError(Kind::refused, error.what() + std::string("; it answers others like this request"), error.status()));
}

Outcome OpenAI::Impl::too_long(const CallState& call, const LMError& error) const {
  if (!call.is_own) return failure(call, error);
  return failure(call,
                 with_remark(error,
                             "the settings \"context_budget\" (characters of such a request), \"samples_per_request\" and "
                             "\"show_context\": false make it shorter"));
}

Outcome OpenAI::Impl::failure(const CallState& call, const LMError& error) const {
  std::string message = "POST " + endpoint.display + ": " + error.what();
  if (call.usage.attempts > 1) message += " (after " + std::to_string(call.usage.attempts) + " attempts)";
  return {LMError(error.kind(), call.secrets->blank_quoted(message), error.status(), error.retryable(), error.retry_after()),
          call.usage};
}

OpenAI::OpenAI(OpenAIOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}

// The calls on their way hold the implementation, and it holds them: closing the client unties the knot.
OpenAI::~OpenAI() { impl_->http.close(); }

void OpenAI::start(Request request, Done done) { impl_->start(std::move(request), nullptr, std::move(done)); }

void OpenAI::start_stream(Request request, OnText on_text, Done done) {
  impl_->start(std::move(request), std::make_unique<Stream>(Stream{.on_text = std::move(on_text)}), std::move(done));
}

std::string OpenAI::model_name() const { return impl_->options.args.get_text("model", impl_->options.model); }

Json OpenAI::identity() const {
  Json identity{{"provider", provider()},
                {"model", model_name()},
                {"endpoint", impl_->endpoint.display},
                {"args", impl_->options.args},
                {"headers", shown(impl_->options.headers)}};
  if (!impl_->endpoint.query.empty()) identity = identity.with("query", shown(impl_->endpoint.query));
  if (!impl_->options.system_role) identity = identity.with("system_role", false);
  if (impl_->options.reasoning == Thoughts::keep) identity = identity.with("reasoning", "keep");
  return identity;
}

std::vector<std::string> OpenAI::secrets() const { return impl_->secrets->values(); }

std::optional<std::int64_t> OpenAI::context_window() {
  if (impl_->window == 0 && !impl_->asked_for_window && impl_->http.is_here()) {
    auto found = std::make_shared<std::promise<void>>();
    std::future<void> waiting = found->get_future();
    impl_->find_window([found] { found->set_value(); });
    waiting.wait();
  }
  const std::int64_t window = impl_->window;
  return window > 0 ? std::optional(window) : std::nullopt;
}

Usage OpenAI::usage() const { return impl_->meter.total(); }

void OpenAI::add_usage(const Usage& usage) { impl_->meter.add(usage); }

std::string OpenAI::url() const { return impl_->endpoint.url; }

}  // namespace tgd::lm
