#include "lm/protocol.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "lm/endpoint_error.hpp"
#include "core/saturating.hpp"
#include "lm/excerpt.hpp"
#include "lm/lenient_json.hpp"
#include "lm/reply_end.hpp"
#include "lm/thoughts.hpp"

namespace tgd::lm::detail {

namespace {

using Value = nlohmann::json;
using Kind = LMError::Kind;

/// What came, as an error may quote it.
std::string quoted(const Secrets& secrets, std::string_view text) { return in_quotes(secrets.blank_quoted(text)); }

// ---- Replies ---------------------------------------------------------------------------------------------------------

/// Reads token figures. One that cannot be (negative, or more than any request has ever used) is noted instead of counted.
class Figures {
 public:
  explicit Figures(const Value& json) : json_(json) {}

  std::int64_t read(const char* name) { return read(name, member(json_, name)); }
  std::int64_t read(const char* name, const Value& value) {
    constexpr double most = 1e12;
    if (!value.is_number()) return 0;
    const double figure = value.get<double>();
    if (figure >= 0 && figure <= most) return count(value);
    absurd_ = '"' + std::string(name) + "\": " + value.dump();
    return 0;
  }
  /// What was beyond all numbers is null by now: one without the other says nothing.
  void expect_known(const char* a, const char* b) {
    for (const auto& [name, other] : {std::pair(a, b), std::pair(b, a)}) {
      const bool is_null = json_.is_object() && json_.contains(name) && member(json_, name).is_null();
      if (is_null && member(json_, other).is_number()) absurd_ = '"' + std::string(name) + "\": null";
    }
  }
  const std::string& absurd() const noexcept { return absurd_; }

 private:
  const Value& json_;
  std::string absurd_;
};

void read_usage(const Value& json, ParsedReply& parsed) {
  const Value& usage = member(json, "usage");
  Figures figures(usage);
  Usage result;
  result.prompt_tokens = figures.read("prompt_tokens");
  result.completion_tokens = figures.read("completion_tokens");
  const Value& cached = member(member(usage, "prompt_tokens_details"), "cached_tokens");
  // Some servers name it at the top level.
  result.cached_prompt_tokens = figures.read("cached_tokens", cached.is_number() ? cached : member(usage, "prompt_cache_hit_tokens"));
  result.reasoning_tokens =
      figures.read("reasoning_tokens", member(member(usage, "completion_tokens_details"), "reasoning_tokens"));
  figures.expect_known("prompt_tokens", "completion_tokens");
  parsed.absurd_usage = figures.absurd();
  if (!parsed.absurd_usage.empty()) return;
  const bool reported = member(usage, "prompt_tokens").is_number() || member(usage, "completion_tokens").is_number();
  result.reported = reported ? 1 : 0;
  parsed.usage = result;
}

}  // namespace

std::optional<std::string> content_of(const Value& message) {
  const Value& content = member(message, "content");
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return std::nullopt;
  std::optional<std::string> result;
  for (const Value& part : content) {
    const std::string type = text(member(part, "type"));
    if (!type.empty() && type != "text" && type != "output_text") continue;
    const Value& piece = part.is_string() ? part : member(part, "text");
    if (piece.is_string()) result = result.value_or("") + piece.get<std::string>();
  }
  return result;
}

std::string reasoning_of(const Value& message) {
  for (const char* name : {"reasoning_content", "reasoning", "thinking"}) {
    if (std::string thoughts = text(member(message, name)); !thoughts.empty()) return thoughts;
  }
  const Value& content = member(message, "content");
  std::string thoughts;
  if (!content.is_array()) return thoughts;
  for (const Value& part : content) {
    const Value& thinking = member(part, "thinking");
    if (thinking.is_string()) thoughts += text(thinking);
    if (!thinking.is_array()) continue;
    for (const Value& piece : thinking) thoughts += text(member(piece, "text"));
  }
  return thoughts;
}

std::string refusal_of(const Value& message) {
  std::string refusal = text(member(message, "refusal"));
  const Value& content = member(message, "content");
  if (!content.is_array()) return refusal;
  for (const Value& part : content) refusal += text(member(part, "refusal"));
  return refusal;
}

bool calls_tools(const Value& message) {
  return !member(message, "tool_calls").empty() || member(message, "function_call").is_object();
}

namespace {

LMError only_thoughts(const std::string& thoughts, const Secrets& secrets) {
  return {Kind::empty, "the reply has no content, only a thought: " + quoted(secrets, thoughts), 0, true};
}

/// Takes the thoughts out of a text, to the end of `reasoning`.
std::string answer_of(std::string text, Thoughts thoughts, std::string* reasoning = nullptr) {
  if (thoughts == Thoughts::keep) return text;
  SplitReply split = split_thoughts(text);
  if (reasoning != nullptr && !split.reasoning.empty()) *reasoning += (reasoning->empty() ? "" : "\n\n") + split.reasoning;
  return std::move(split.answer);
}

LMError no_content(const Value& message, const std::string& finish_reason, const Secrets& secrets) {
  if (const std::string refusal = refusal_of(message); !refusal.empty()) {
    return {Kind::filtered, "the model refused to answer: " + quoted(secrets, refusal)};
  }
  if (calls_tools(message)) return *bad_end(ReplyEnd::tool, finish_reason);
  if (const std::string thoughts = reasoning_of(message); !thoughts.empty()) {
    return {Kind::empty,
            "the reply has no content, only thoughts in a field of their own: " + quoted(secrets, thoughts) +
                "; where that is the answer, the server takes it for a thought: change its reasoning parser, or let "
                "the model think less",
            0, true};
  }
  return {Kind::empty, "the reply has no content (finish_reason " + quoted(secrets, finish_reason) + ")", 0, true};
}

// The choices in the order of their "index" where all have one.
std::vector<const Value*> ordered(const Value& choices) {
  std::vector<const Value*> result;
  std::transform(choices.begin(), choices.end(), std::back_inserter(result), [](const Value& choice) { return &choice; });
  const auto has_index = [](const Value* choice) { return member(*choice, "index").is_number_integer(); };
  if (std::all_of(result.begin(), result.end(), has_index)) {
    std::stable_sort(result.begin(), result.end(),
                     [](const Value* a, const Value* b) { return count(member(*a, "index")) < count(member(*b, "index")); });
  }
  return result;
}

std::variant<Reply, LMError> reply_of(const Value& json, std::string_view body, Thoughts thoughts, const Secrets& secrets) {
  const std::vector<const Value*> choices = ordered(member(json, "choices"));
  if (choices.empty()) return LMError(Kind::empty, "the reply has no choices", 0, true);

  const Value& first = *choices.front();
  const Value& message = member(first, "message");
  if (!message.is_object()) {
    return LMError(Kind::malformed, "the first choice has no message: " + quoted(secrets, body), 0, true);
  }
  Reply reply;
  reply.finish_reason = text(member(first, "finish_reason"));
  reply.model = text(member(json, "model"));

  std::optional<std::string> content = content_of(message);
  const bool has_text = !content.value_or("").empty();
  const EndOfReply ending = end_of_reply(first, has_text);
  if (auto error = bad_end(ending.end, reply.finish_reason, ending.reason, secrets)) return *std::move(error);
  const bool withheld = !has_text && (!refusal_of(message).empty() || calls_tools(message));
  // Cut without any text: the limit was used up by hidden reasoning. That is for the caller to judge.
  if (withheld || (!content && ending.end != ReplyEnd::cut)) return no_content(message, reply.finish_reason, secrets);
  reply.reasoning = reasoning_of(message);
  reply.content = answer_of(std::move(content).value_or(""), thoughts, &reply.reasoning);
  if (reply.content.empty() && has_text && ending.end == ReplyEnd::whole) return only_thoughts(reply.reasoning, secrets);

  for (std::size_t i = 1; i < choices.size(); ++i) {
    reply.alternatives.push_back(answer_of(content_of(member(*choices[i], "message")).value_or(""), thoughts));
  }
  return reply;
}

// ---- Errors ----------------------------------------------------------------------------------------------------------

LMError error_of(const EndpointError& trouble, Kind otherwise, const std::string& message) {
  const Kind kind = trouble.cause == EndpointError::Cause::filtered   ? Kind::filtered
                    : trouble.cause == EndpointError::Cause::too_long ? Kind::too_long
                                                                      : otherwise;
  return {kind, message, trouble.status, trouble.may_pass, trouble.wait};
}

}  // namespace

// Some gateways answer 200 and put the error into the body.
LMError error_in_reply(const Value& json, const Secrets& secrets) {
  const EndpointError trouble = endpoint_error_in(0, json);
  return error_of(trouble, Kind::malformed, "the reply holds an error: " + quoted(secrets, trouble.message));
}

std::optional<LMError> bad_end(ReplyEnd end, std::string_view word, std::string_view reason, const Secrets& secrets) {
  const std::string why =
      reason.empty() ? " (finish_reason " + quoted(secrets, word) + ")" : ": " + quoted(secrets, reason);
  switch (end) {
    case ReplyEnd::filtered:
      return LMError(Kind::filtered, "a content filter withheld the reply" + why);
    case ReplyEnd::failed:
      return LMError(Kind::malformed, "the endpoint gave up in the middle of the reply" + why, 0, true);
    case ReplyEnd::tool:
      return LMError(Kind::empty,
                     "the model called a tool instead of answering; remove \"tools\" from the completion arguments");
    case ReplyEnd::whole:
    case ReplyEnd::cut:
      break;
  }
  return std::nullopt;
}

namespace {

std::string hint(int status, std::string_view model, std::string_view location, const Secrets& secrets) {
  switch (status) {
    case 401:
      return "check the API key (OpenAIOptions::api_key or the environment variable OPENAI_API_KEY)";
    case 403:
      return "check what the API key is allowed to use";
    case 404:
      return "check the model name (" + in_quotes(model) + ") and base_url";
    case 413:
      return "the request is too large for this endpoint";
    default:
      break;
  }
  if (status < 300 || status >= 400) return {};
  return "it redirects to " + quoted(secrets, location) +
         ", which is not followed because the API key would go along; set base_url to the new place";
}

}  // namespace

std::string request_body(const std::vector<Message>& messages, const Json& args, std::string_view model, Streaming streaming) {
  if (messages.empty()) throw ValueError("a chat request needs at least one message, but has none");
  if (!args.value().is_object())
    throw ValueError("completion arguments must be a JSON object, but are " + excerpt(args.dump()));
  if (args.contains("messages")) throw ValueError("completion arguments hold \"messages\"; put them into Request::messages");
  if (streaming == Streaming::none && member(args.value(), "stream") == Value(true)) {
    throw ValueError("completion arguments ask for \"stream\"; remove it and call chat_stream or start_stream");
  }
  Value body = args.value();
  if (!body.contains("model") && !model.empty()) body["model"] = model;
  Value& list = body["messages"] = Value::array();
  if (streaming != Streaming::none) body["stream"] = true;
  if (streaming == Streaming::with_usage && !body.contains("stream_options")) {
    body["stream_options"] = {{"include_usage", true}};
  }
  for (const Message& message : messages) list.push_back({{"role", message.role}, {"content", message.content}});
  return body.dump(-1, ' ', false, Value::error_handler_t::replace);
}

std::string without_stream_options(std::string_view body) {
  Value json = Value::parse(body);
  json.erase("stream_options");
  return json.dump();
}

std::optional<std::int64_t> reply_limit(const Json& args) {
  const Value& named = args.value();
  for (const char* name : {"max_completion_tokens", "max_tokens"}) {
    const Value& limit = member(named, name);
    if (!limit.is_number()) continue;
    return tgd::detail::saturated_product(count(limit), std::max<std::int64_t>(1, count(member(named, "n"))));
  }
  return std::nullopt;
}

bool refuses_stream_options(int status, std::string_view body) {
  return (status == 400 || status == 422) && body.find("stream_options") != std::string_view::npos;
}

ParsedReply read_completion(const Value& completion, std::string_view body, Thoughts thoughts, const Secrets& secrets) {
  ParsedReply parsed{.result = reply_of(completion, body, thoughts, secrets), .usage = {}};
  read_usage(completion, parsed);
  return parsed;
}

ParsedReply parse_reply(std::string_view body, bool delimited, Thoughts thoughts, const Secrets& secrets) {
  const std::optional<Value> json = parse_json(body);
  if (!json) {
    const auto start = body.find_first_not_of(" \t\r\n");
    const bool cut = !delimited && (start == std::string_view::npos || body[start] == '{');
    if (cut)
      return {LMError(Kind::transport, "the connection ended in the middle of the reply: " + quoted(secrets, body), 0, true), {}};
    if (start == std::string_view::npos) return {LMError(Kind::malformed, "the reply is empty", 0, true), {}};
    return {LMError(Kind::malformed, "the reply is not JSON: " + quoted(secrets, body), 0, true), {}};
  }
  if (member(*json, "choices").is_array()) return read_completion(*json, body, thoughts, secrets);
  ParsedReply parsed{.result = LMError(Kind::malformed,
                                       "the reply is not a chat completion, it has no choices: " + quoted(secrets, body), 0, true),
                     .usage = {}};
  if (names_an_error(*json)) parsed.result = error_in_reply(*json, secrets);
  read_usage(*json, parsed);
  return parsed;
}

LMError status_error(int status, std::string_view body, std::string_view model, std::string_view location,
                     const Secrets& secrets) {
  const EndpointError trouble = read_endpoint_error(status, body);
  std::string message = "HTTP status " + std::to_string(status);
  if (const std::string shown = excerpt(secrets.blank_quoted(trouble.message)); !shown.empty()) message += ": \"" + shown + '"';
  if (const std::string advice = hint(status, model, location, secrets); !advice.empty()) message += "; " + advice;
  return error_of(trouble, Kind::status, message);
}

}  // namespace tgd::lm::detail
