#include "lm/openai/protocol.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include <tgd/lm/tokens.hpp>

#include "core/one_line.hpp"
#include "core/saturating.hpp"
#include "lm/lenient_json.hpp"
#include "lm/openai/end_marks.hpp"
#include "lm/openai/errors.hpp"
#include "lm/openai/reply_end.hpp"
#include "lm/openai/thoughts.hpp"
#include "net/retry.hpp"

namespace tgd::lm::detail {

namespace {

using Value = nlohmann::json;
using Ordered = nlohmann::ordered_json;
using Kind = LMError::Kind;

/// What came, as an error may quote it.
std::string quoted(const net::Secrets& secrets, std::string_view text) {
  return tgd::detail::in_quotes(secrets.blank_quoted(text));
}

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

/// The first of several places that holds a number; null where none does.
const Value& number_among(std::initializer_list<const Value*> places) {
  static const Value none;
  const auto found = std::find_if(places.begin(), places.end(), [](const Value* place) { return place->is_number(); });
  return found == places.end() ? none : **found;
}

/// What is paid for as output. Thoughts that an endpoint leaves out of completion_tokens are paid all the same.
std::int64_t billed_output(const Usage& usage, std::int64_t total) {
  using tgd::detail::saturated_difference;
  std::int64_t output = usage.completion_tokens;
  if (usage.reasoning_tokens > output) output = tgd::detail::saturated_sum(output, usage.reasoning_tokens);
  return std::max(output, saturated_difference(total, usage.prompt_tokens));
}

/// In USD, as routers and gateways say it; nothing where they do not.
std::optional<double> cost_in(const Value& usage) {
  const Value& cost = member(usage, "cost");
  const Value& amount = number_among({&cost, &member(cost, "total_cost"), &member(usage, "total_cost"),
                                      &member(usage, "estimated_cost"), &member(usage, "cost_usd")});
  if (!amount.is_number() && cost.is_string()) return net::number_in(text(cost));
  if (!amount.is_number()) {
    const Value& ticks = member(usage, "cost_in_usd_ticks");
    return ticks.is_number() ? std::optional(ticks.get<double>() / 1e10) : std::nullopt;
  }
  double sum = amount.get<double>();
  // With a key of the user's own the router names its fee, and what its upstream charges beside it.
  const Value& upstream = member(member(usage, "cost_details"), "upstream_inference_cost");
  if (member(usage, "is_byok") == Value(true) && upstream.is_number()) sum += upstream.get<double>();
  return sum;
}

}  // namespace

bool note_cost(Usage& usage, double usd) {
  constexpr double most = 1e6;
  if (!(usd >= 0) || usd > most) return false;
  usage.priced = 1;
  usage.cost_pico_usd = std::llround(usd * 1e12);
  return true;
}

const Value& usage_in(const Value& json) {
  const Value& choices = member(json, "choices");
  const Value& first = choices.is_array() && !choices.empty() ? choices.front() : choices;
  for (const Value* place : {&member(json, "usage"), &member(member(json, "x_groq"), "usage"), &member(first, "usage")}) {
    if (place->is_object() && !place->empty()) return *place;
  }
  return member(json, "timings");  // llama.cpp's
}

namespace {

void read_usage(const Value& json, ParsedReply& parsed) {
  const Value& usage = usage_in(json);
  Figures figures(usage);
  const auto read = [&](const char* name, std::initializer_list<const char*> others) {
    for (const char* other : others) {
      if (!member(usage, name).is_number() && member(usage, other).is_number()) return figures.read(other);
    }
    return figures.read(name);
  };
  Usage result;
  result.prompt_tokens = read("prompt_tokens", {"input_tokens", "promptTokens", "inputTokens", "prompt_n"});
  result.completion_tokens = read("completion_tokens", {"output_tokens", "completionTokens", "outputTokens", "predicted_n"});
  result.cached_prompt_tokens = figures.read(
      "cached_tokens",
      number_among({&member(member(usage, "prompt_tokens_details"), "cached_tokens"),
                    &member(member(usage, "input_tokens_details"), "cached_tokens"), &member(usage, "prompt_cache_hit_tokens"),
                    &member(usage, "cache_read_input_tokens"), &member(usage, "cached_tokens")}));
  result.reasoning_tokens = figures.read(
      "reasoning_tokens", number_among({&member(member(usage, "completion_tokens_details"), "reasoning_tokens"),
                                        &member(member(usage, "output_tokens_details"), "reasoning_tokens"),
                                        &member(usage, "reasoning_tokens"), &member(usage, "num_reasoning_tokens")}));
  const std::int64_t total = figures.read("total_tokens");
  figures.expect_known("prompt_tokens", "completion_tokens");
  const auto cost = cost_in(usage);
  if (figures.absurd().empty()) {
    const auto has = [&](const char* name) { return member(usage, name).is_number(); };
    const bool reported = has("prompt_tokens") || has("completion_tokens") || has("input_tokens") || has("output_tokens") ||
                          has("predicted_n") || has("completionTokens") || has("outputTokens");
    result.reported = reported ? 1 : 0;
    if (reported) result.completion_tokens = billed_output(result, total);
  } else {
    result = {};
    parsed.absurd_usage = figures.absurd();
  }
  if (cost && !note_cost(result, *cost)) parsed.absurd_usage = "\"cost\": " + std::to_string(*cost);
  const auto* reply = std::get_if<Reply>(&parsed.result);
  if (reply != nullptr && !reply->reasoning.empty()) result.thoughtful = 1;
  if (reply != nullptr && result.reported == 0) {
    result.estimated_completion_tokens = estimate_tokens(reply->content) + estimate_tokens(reply->reasoning);
    for (const std::string& text : reply->alternatives) result.estimated_completion_tokens += estimate_tokens(text);
  }
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
  for (const char* name : {"reasoning_content", "reasoning", "thinking", "thoughts"}) {
    if (std::string thoughts = text(member(message, name)); !thoughts.empty()) return thoughts;
  }
  const Value& content = member(message, "content");
  std::string thoughts;
  if (const Value& details = member(message, "reasoning_details"); details.is_array()) {
    for (const Value& detail : details) thoughts += text(member(detail, "text"));
  }
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

LMError only_thoughts(const std::string& thoughts, const net::Secrets& secrets) {
  return {Kind::empty, "the reply has no content, only a thought: " + quoted(secrets, thoughts), 0, true};
}

/// What a text holds beside the answer.
struct Beside {
  std::string reasoning = {};
  std::string end_mark = {};
};

/// Takes the thoughts out of a text, to the end of `reasoning`, and marks that end a turn off it.
std::string answer_of(std::string text, Thoughts thoughts, Beside& beside) {
  if (std::string mark = take_end_marks(text); !mark.empty()) beside.end_mark = std::move(mark);
  if (thoughts == Thoughts::keep) return text;
  SplitReply split = split_thoughts(text);
  if (!split.reasoning.empty()) beside.reasoning += (beside.reasoning.empty() ? "" : "\n\n") + split.reasoning;
  return std::move(split.answer);
}

LMError no_content(const Value& message, const std::string& finish_reason, const net::Secrets& secrets) {
  if (const std::string refusal = refusal_of(message); !refusal.empty()) {
    return {Kind::refused, "the model refused to answer: " + quoted(secrets, refusal)};
  }
  if (calls_tools(message)) return *bad_end({ReplyEnd::tool}, finish_reason);
  if (const std::string thoughts = reasoning_of(message); !thoughts.empty()) {
    return {Kind::empty,
            "the reply has no content, only thoughts in a field of their own: " + quoted(secrets, thoughts) +
                "; where that is the answer, the server takes it for a thought: change its reasoning parser, or let "
                "the model think less",
            0, true};
  }
  return {Kind::empty, "the reply has no content (finish_reason " + quoted(secrets, finish_reason) + ")", 0, true};
}

/// Endpoints have no number for what the model could not say, and JSON has none for minus infinity.
double logprob_of(const Value& value) {
  return value.is_number() ? value.get<double>() : -std::numeric_limits<double>::infinity();
}

std::vector<TokenChance> chances_of(const Value& list) {
  std::vector<TokenChance> chances;
  if (list.is_array()) {
    for (const Value& each : list) chances.push_back({text(member(each, "token")), logprob_of(member(each, "logprob"))});
  } else if (list.is_object()) {
    for (const auto& each : list.items()) chances.push_back({each.key(), logprob_of(each.value())});
  }
  return chances;
}

/// A list of tokens, or, as older servers have it, a list for each thing to know about them.
std::vector<TokenLogprob> logprobs_of(const Value& choice) {
  const Value& given = member(choice, "logprobs");
  std::vector<TokenLogprob> logprobs;
  if (const Value& content = member(given, "content"); content.is_array()) {
    for (const Value& each : content) {
      logprobs.push_back(
          {text(member(each, "token")), logprob_of(member(each, "logprob")), chances_of(member(each, "top_logprobs"))});
    }
    return logprobs;
  }
  const Value& tokens = member(given, "tokens");
  const Value& values = member(given, "token_logprobs");
  const Value& others = member(given, "top_logprobs");
  if (!tokens.is_array() || !values.is_array()) return logprobs;
  for (std::size_t i = 0; i < std::min(tokens.size(), values.size()); ++i) {
    logprobs.push_back({text(tokens[i]), logprob_of(values[i]), {}});
    if (others.is_array() && i < others.size()) logprobs.back().alternatives = chances_of(others[i]);
  }
  return logprobs;
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

/// Of an answer without choices: a filter stopped the request, as Gemini and Azure say it.
bool withholds_request(const Value& json) { return endpoint_error_in(0, json).cause == EndpointError::Cause::filtered; }

std::variant<Reply, LMError> reply_of(const Value& json, std::string_view body, Thoughts thoughts, const net::Secrets& secrets,
                                      ParsedReply& parsed) {
  const std::vector<const Value*> choices = ordered(member(json, "choices"));
  if (choices.empty()) {
    if (withholds_request(json))
      return LMError(Kind::filtered, "a content filter withheld the request: " + quoted(secrets, body));
    return LMError(Kind::empty, "the reply has no choices", 0, true);
  }

  const Value& first = *choices.front();
  const Value& message = member(first, "message");
  Reply reply;
  reply.finish_reason = finish_word(first);
  reply.model = text(member(json, "model"));

  std::optional<std::string> content = content_of(message);
  const bool has_text = !content.value_or("").empty();
  const EndOfReply ending = end_of_reply(first, has_text);
  if (!ending.is_known) parsed.unknown_end = reply.finish_reason;
  if (auto error = bad_end(ending, reply.finish_reason, secrets)) return *std::move(error);
  if (!message.is_object()) {
    return LMError(Kind::malformed, "the first choice has no message: " + quoted(secrets, body), 0, true);
  }
  const bool withheld = !has_text && (!refusal_of(message).empty() || calls_tools(message));
  // Cut without any text: the limit was used up by hidden reasoning. That is for the caller to judge.
  if (withheld || (!content && ending.end != ReplyEnd::cut)) return no_content(message, reply.finish_reason, secrets);
  // An empty text beside thoughts is as good as none.
  if (!has_text && ending.end == ReplyEnd::whole && !reasoning_of(message).empty())
    return no_content(message, reply.finish_reason, secrets);
  Beside beside{.reasoning = reasoning_of(message)};
  reply.content = answer_of(std::move(content).value_or(""), thoughts, beside);
  const bool has_only_marks = !beside.end_mark.empty() && beside.reasoning.empty();
  if (reply.content.empty() && has_text && ending.end == ReplyEnd::whole && !has_only_marks)
    return only_thoughts(beside.reasoning, secrets);
  reply.reasoning = std::move(beside.reasoning);
  reply.logprobs = logprobs_of(first);

  for (std::size_t i = 1; i < choices.size(); ++i) {
    reply.alternatives.push_back(answer_of(content_of(member(*choices[i], "message")).value_or(""), thoughts, beside));
  }
  parsed.end_mark = std::move(beside.end_mark);
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
LMError error_in_reply(const EndpointError& trouble, const net::Secrets& secrets) {
  return error_of(trouble, Kind::malformed, "the reply holds an error: " + quoted(secrets, trouble.message));
}

std::optional<LMError> bad_end(const EndOfReply& ending, std::string_view word, const net::Secrets& secrets) {
  const std::string why =
      ending.reason.empty() ? " (finish_reason " + quoted(secrets, word) + ")" : ": " + quoted(secrets, ending.reason);
  switch (ending.end) {
    case ReplyEnd::filtered:
      return LMError(Kind::filtered, "a content filter withheld the reply" + why);
    case ReplyEnd::failed:
      if (ending.is_of_model) return LMError(Kind::unreadable, "the model made no reply that can be used" + why, 0, true);
      // It was at work on this very reply: another one may come.
      return LMError(Kind::unreadable, "the endpoint gave up in the middle of the reply" + why, 0, true);
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

bool speaks_of_tls(std::string_view message) {
  return message.find("plain HTTP request was sent to HTTPS port") != std::string_view::npos ||
         message.find("HTTP request to an HTTPS server") != std::string_view::npos;
}

/// In words that a task file and the library's options have in common.
std::string hint(int status, const EndpointError& trouble, const Asked& asked, const net::Secrets& secrets) {
  if (speaks_of_tls(trouble.message)) return "write https:// in base_url";
  switch (status) {
    case 401:
      return "check the API key (\"api_key\", else OPENAI_API_KEY); a gateway that wants it in another header gets it with "
             "\"headers\": "
             "{\"api-key\": \"${OPENAI_API_KEY}\"}, one that wants a user and a password with http://user:password@host in "
             "base_url";
    case 403:
      return "check what the API key is allowed to use";
    case 404:
      return "check the model name (" + tgd::detail::in_quotes(asked.model) + ") and base_url" +
             (asked.added_version
                  ? "; /v1 was added to its path: an endpoint without it gets a base_url that ends with /chat/completions, "
                    "which is taken as it is"
                  : "");
    case 407:
      return "that is the proxy of the environment (http_proxy, https_proxy, all_proxy): it wants a user and a password";
    case 413:
      return "the request is too large for this endpoint";
    default:
      break;
  }
  if (status < 300 || status >= 400) return {};
  return "it redirects to " + quoted(secrets, asked.location) +
         ", which is not followed because the API key would go along; set base_url to the new place";
}

}  // namespace

std::string request_body(const std::vector<Message>& messages, const Json& args, std::string_view model, Streaming streaming) {
  if (messages.empty()) throw ValueError("a chat request needs at least one message, but has none");
  if (!args.value().is_object())
    throw ValueError("completion arguments must be a JSON object, but are " + tgd::detail::one_line(args.dump()));
  if (args.contains("messages")) throw ValueError("completion arguments hold \"messages\"; put them into Request::messages");
  if (streaming == Streaming::none && member(args.value(), "stream") == Ordered(true)) {
    throw ValueError("completion arguments ask for \"stream\"; remove it and call chat_stream or start_stream");
  }
  Ordered body = args.value();
  if (!body.contains("model") && !model.empty()) body["model"] = model;
  body["messages"] = Ordered::array();
  if (streaming != Streaming::none) body["stream"] = true;
  if (streaming == Streaming::with_usage && !body.contains("stream_options")) {
    body["stream_options"] = {{"include_usage", true}};
  }
  Ordered& list = body["messages"];
  for (const Message& message : messages) list.push_back({{"role", message.role}, {"content", message.content}});
  return body.dump(-1, ' ', false, Ordered::error_handler_t::replace);
}

std::string without_stream_options(std::string_view body) {
  Ordered json = Ordered::parse(body);
  json.erase("stream_options");
  return json.dump();
}

std::string with_messages(std::string_view body, const std::vector<Message>& messages) {
  Ordered json = Ordered::parse(body);
  Ordered& list = json["messages"] = Ordered::array();
  for (const Message& message : messages) list.push_back({{"role", message.role}, {"content", message.content}});
  return json.dump(-1, ' ', false, Ordered::error_handler_t::replace);
}

std::optional<std::string> folded_body(std::string_view body) {
  Ordered json = Ordered::parse(body);
  Ordered& messages = json["messages"];
  Ordered folded = Ordered::array();
  for (Ordered& message : messages) {
    if (message["role"] == "system" || message["role"] == "developer") message["role"] = "user";
    if (!folded.empty() && folded.back()["role"] == message["role"]) {
      const std::string joined = folded.back()["content"].get<std::string>() + "\n\n" + message["content"].get<std::string>();
      folded.back()["content"] = joined;
    } else {
      folded.push_back(message);
    }
  }
  messages = std::move(folded);
  std::string result = json.dump();
  if (result == body) return std::nullopt;
  return result;
}

std::optional<NamedLimit> named_reply_limit(const Json& args) {
  const Ordered& named = args.value();
  for (const char* name :
       {"max_completion_tokens", "max_tokens", "max_new_tokens", "max_output_tokens", "n_predict", "num_predict"}) {
    const Ordered& limit = member(named, name).is_number() ? member(named, name) : member(member(named, "options"), name);
    if (limit.is_number() && limit.get<double>() > 0) return NamedLimit{name, count(limit)};
  }
  return std::nullopt;
}

std::optional<std::int64_t> reply_limit(const Json& args) {
  const auto limit = named_reply_limit(args);
  if (!limit) return std::nullopt;
  return tgd::detail::saturated_product(limit->tokens, std::max<std::int64_t>(1, count(member(args.value(), "n"))));
}

bool refuses_stream_options(int status, std::string_view body) {
  return (status == 400 || status == 422) && body.find("stream_options") != std::string_view::npos;
}

namespace {

// What is loaded goes before what could be.
std::int64_t window_of(const Value& entry) {
  const Value& meta = member(entry, "meta");
  for (const Value* place :
       {&member(entry, "loaded_context_length"), &member(meta, "n_ctx"), &member(entry, "n_ctx"),
        &member(entry, "max_model_len"), &member(entry, "context_length"), &member(entry, "context_window"),
        &member(entry, "max_context_length"), &member(entry, "max_input_tokens"), &member(entry, "inputTokenLimit"),
        &member(meta, "n_ctx_train")}) {
    if (const std::int64_t window = count(*place); window > 0) return window;
  }
  return 0;
}

}  // namespace

std::int64_t window_in_list(std::string_view body, std::string_view model) {
  const std::optional<Value> json = parse_json(body);
  if (!json) return 0;
  const Value& data = json->is_array() ? *json : member(*json, "data");
  const Value& list = data.is_array() ? data : member(*json, "models");
  if (!list.is_array()) return 0;
  for (const Value& entry : list) {
    if (text(member(entry, "id")) == model || text(member(entry, "name")) == model || text(member(entry, "model")) == model)
      return window_of(entry);
  }
  // A server of one model answers to every name.
  return list.size() == 1 ? window_of(list.front()) : 0;
}

ParsedReply read_completion(const Value& completion, std::string_view body, Thoughts thoughts, const net::Secrets& secrets) {
  ParsedReply parsed{.result = Reply(), .usage = {}};
  parsed.result = reply_of(completion, body, thoughts, secrets, parsed);
  read_usage(completion, parsed);
  return parsed;
}

ParsedReply parse_reply(std::string_view body, bool delimited, Thoughts thoughts, const net::Secrets& secrets) {
  std::string mended;
  const std::optional<Value> json = parse_json(body, &mended);
  if (!json) {
    const auto start = body.find_first_not_of(" \t\r\n");
    const bool cut = !delimited && (start == std::string_view::npos || body[start] == '{');
    if (cut)
      return {LMError(Kind::transport, "the connection ended in the middle of the reply: " + quoted(secrets, body), 0, true),
              {}};
    if (start == std::string_view::npos) return {LMError(Kind::malformed, "the reply is empty", 0, true), {}};
    // What begins as a completion was made for this request; a page or a line of text was not.
    const Kind kind = body[start] == '{' ? Kind::unreadable : Kind::malformed;
    return {LMError(kind, "the reply is not JSON: " + quoted(secrets, body), 0, true), {}};
  }
  if (member(*json, "choices").is_array()) {
    ParsedReply parsed = read_completion(*json, body, thoughts, secrets);
    parsed.mended = std::move(mended);
    return parsed;
  }
  ParsedReply parsed{
      .result =
          LMError(Kind::malformed, "the reply is not a chat completion, it has no choices: " + quoted(secrets, body), 0, true),
      .usage = {}};
  // Who has no choices and says something else speaks of what went wrong.
  if (names_an_error(*json) || says_what_is_wrong(*json)) {
    parsed.trouble = endpoint_error_in(0, *json);
    parsed.result = error_in_reply(*parsed.trouble, secrets);
  }
  read_usage(*json, parsed);
  return parsed;
}

ParsedReply read_refusal(int status, std::string_view body, const Asked& asked, const net::Secrets& secrets) {
  EndpointError trouble = read_endpoint_error(status, body, asked.is_wait_named);
  std::string message = "HTTP status " + std::to_string(status);
  if (const std::string shown = tgd::detail::one_line(secrets.blank_quoted(trouble.message)); !shown.empty())
    message += ": \"" + shown + '"';
  if (const std::string advice = hint(status, trouble, asked, secrets); !advice.empty()) message += "; " + advice;
  LMError error = error_of(trouble, Kind::status, message);
  return {.result = std::move(error), .usage = {}, .trouble = std::move(trouble)};
}

LMError status_error(int status, std::string_view body, std::string_view model, std::string_view location,
                     const net::Secrets& secrets) {
  return std::get<LMError>(read_refusal(status, body, {.model = model, .location = location}, secrets).result);
}

}  // namespace tgd::lm::detail
