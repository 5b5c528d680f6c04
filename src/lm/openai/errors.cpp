#include "lm/openai/errors.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "lm/lenient_json.hpp"
#include "net/retry.hpp"

namespace tgd::lm::detail {

namespace {

using Value = nlohmann::json;
using Cause = EndpointError::Cause;
using tgd::detail::lower_case;
using tgd::detail::trim;

constexpr int deepest = 8;             // wrappings around a reason
constexpr std::size_t most_items = 3;  // of a list of reasons

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

template <class Words>
bool holds_any(std::string_view text, const Words& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return holds(text, word); });
}

// ---- Pages -----------------------------------------------------------------------------------------------------------

bool is_page(std::string_view text) {
  if (!text.starts_with('<')) return false;
  constexpr std::array tags = {"<html", "<!doctype", "<head", "<body", "<title", "<h1", "<center", "<p>", "<div"};
  return holds_any(lower_case(text.substr(0, 2000)), tags);
}

struct Entity {
  std::string_view name;
  std::string_view text;
};
constexpr std::array entities = {Entity{"&lt;", "<"},   Entity{"&gt;", ">"},   Entity{"&quot;", "\""}, Entity{"&#39;", "'"},
                                 Entity{"&apos;", "'"}, Entity{"&nbsp;", " "}, Entity{"&amp;", "&"}};

/// Where what begins at `at` and is not shown ends; `at` when it is shown.
std::size_t end_of_hidden(std::string_view html, std::string_view lowered, std::size_t at) {
  for (const auto& [begin, end] :
       {std::pair<std::string_view, std::string_view>{"<script", "</script>"}, {"<style", "</style>"}, {"<!--", "-->"}}) {
    if (!lowered.substr(at).starts_with(begin)) continue;
    const std::size_t found = lowered.find(end, at);
    return found == std::string_view::npos ? html.size() : found + end.size();
  }
  if (html[at] != '<') return at;
  return std::min(html.find('>', at), html.size() - 1) + 1;
}

}  // namespace

std::string visible_text(std::string_view html) {
  const std::string lowered = lower_case(html);
  std::string shown;
  const auto add = [&](std::string_view piece) {
    for (const char c : piece) {
      const bool is_blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
      if (!is_blank) shown += c;
      if (is_blank && !shown.empty() && shown.back() != ' ') shown += ' ';
    }
  };
  for (std::size_t at = 0; at < html.size();) {
    if (const std::size_t end = end_of_hidden(html, lowered, at); end > at) {
      add(" ");
      at = end;
      continue;
    }
    const auto entity = std::find_if(entities.begin(), entities.end(), [&](const Entity& known) {
      return lowered.compare(at, known.name.size(), known.name) == 0;
    });
    add(entity == entities.end() ? html.substr(at, 1) : entity->text);
    at += entity == entities.end() ? 1 : entity->name.size();
  }
  return std::string(trim(shown));
}

namespace {

// ---- The reason ------------------------------------------------------------------------------------------------------

std::string reason_in(const Value& value, int depth);

/// A text that is a body of its own is read as one.
std::string reason_in_text(std::string_view text, int depth) {
  text = trim(text);
  for (const std::string_view field : {"data:", "error:"}) {
    if (text.starts_with(field) && trim(text.substr(field.size())).starts_with('{')) text = trim(text.substr(field.size()));
  }
  if (is_page(text) || text.starts_with("<?xml")) return visible_text(text);
  if (depth < deepest && (text.starts_with('{') || text.starts_with('['))) {
    if (const std::optional<Value> json = parse_json(text)) {
      if (std::string reason = reason_in(*json, depth + 1); !reason.empty()) return reason;
    }
  }
  return std::string(text);
}

/// What is said already, and what says nothing, is not said again.
void join(std::string& message, const std::string& further, std::string_view between) {
  if (further.empty() || holds(message, further)) return;
  if (message.empty() || holds(further, message)) {
    message = further;
  } else {
    message.append(between).append(further);
  }
}

std::string reason_in_list(const Value& list, int depth) {
  std::string reason;
  for (std::size_t i = 0; i < std::min(list.size(), most_items); ++i) join(reason, reason_in(list[i], depth + 1), "; ");
  return reason;
}

/// Where in a request something is wrong, as FastAPI says it: ["body", "messages", 0].
std::string place_in(const Value& object) {
  const Value& parts = member(object, "loc");
  std::string place;
  if (!parts.is_array()) return place;
  for (const Value& part : parts) {
    const std::string name = part.is_number_integer() ? std::to_string(count(part)) : text(part);
    if (!name.empty()) place += (place.empty() ? "" : ".") + name;
  }
  return place;
}

bool says_nothing(const std::string& message) {
  constexpr std::array phrases = {"provider returned error", "upstream error", "error",          "bad request",
                                  "internal server error",   "unknown error",  "request failed", "an error occurred",
                                  "upstream request failed"};
  std::string lowered = lower_case(message);
  while (!lowered.empty() && (lowered.back() == '.' || lowered.back() == '!')) lowered.pop_back();
  return std::find(phrases.begin(), phrases.end(), lowered) != phrases.end();
}

/// What a gateway was told by the endpoint behind it.
std::string upstream_reason(const Value& object, int depth) {
  const Value& metadata = member(object, "metadata");
  for (const Value* place : {&member(metadata, "raw"), &member(metadata, "reasons"), &member(metadata, "error"),
                             &member(object, "upstream"), &member(object, "upstream_error"), &member(object, "provider_error"),
                             &member(object, "original_error"), &member(object, "cause")}) {
    if (std::string reason = reason_in(*place, depth + 1); !reason.empty()) return reason;
  }
  return {};
}

std::string reason_in_object(const Value& object, int depth) {
  std::string message;
  for (const char* name : {"error", "errors", "fault", "base_resp", "message", "Message", "msg", "error_msg", "error_message",
                           "errorMessage", "status_msg", "faultstring", "error_description", "detail"}) {
    join(message, reason_in(member(object, name), depth + 1), ": ");
  }
  if (const std::string place = place_in(object); !place.empty() && !message.empty()) message = place + ": " + message;
  if (const std::string upstream = upstream_reason(object, depth); !upstream.empty()) {
    if (says_nothing(message)) message.clear();
    join(message, upstream, ": ");
  }
  if (!message.empty()) return message;
  for (const char* name : {"code", "type", "reason"}) join(message, text(member(object, name)), ": ");
  return message;
}

std::string reason_in(const Value& value, int depth) {
  if (depth > deepest) return {};
  if (value.is_string()) return reason_in_text(value.get_ref<const std::string&>(), depth);
  if (value.is_array()) return reason_in_list(value, depth);
  if (value.is_object()) return reason_in_object(value, depth);
  return {};
}

// ---- Its kind --------------------------------------------------------------------------------------------------------

struct Signs {
  std::vector<std::string> names = {};  // codes and types of all levels, in lower case
  int status = 0;                       // the innermost that is one
  std::optional<net::milliseconds> wait = {};
  std::int64_t window = 0;
  std::int64_t asked = 0;
};

void note_name(const Value& value, Signs& signs) {
  std::int64_t number = value.is_number_integer() ? count(value) : 0;
  if (value.is_string()) {
    const std::string name = lower_case(trim(value.get_ref<const std::string&>()));
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (!name.empty()) signs.names.push_back(name);
  }
  if (number >= 300 && number < 600) signs.status = static_cast<int>(number);
}

std::optional<net::milliseconds> seconds_in(const Value& value) {
  if (value.is_string()) return net::reset_time(value.get_ref<const std::string&>());
  if (!value.is_number()) return std::nullopt;
  return net::reset_time(std::to_string(std::clamp(value.get<double>(), 0.0, 1e9)));
}

void note_wait(const Value& object, Signs& signs) {
  for (const char* name : {"retryDelay", "estimated_time", "retry_after", "retryAfter", "retry_after_seconds"}) {
    if (const auto wait = seconds_in(member(object, name)))
      signs.wait = std::max(signs.wait.value_or(net::milliseconds(0)), *wait);
  }
  if (const Value& wait = member(object, "retry_after_ms"); wait.is_number())
    signs.wait = net::milliseconds(std::min<std::int64_t>(count(wait), 1'000'000'000));
}

void note_signs(const Value& value, Signs& signs, int depth) {
  if (depth > deepest) return;
  if (value.is_string()) {
    const std::string_view text = trim(value.get_ref<const std::string&>());
    if (!text.starts_with('{') && !text.starts_with('[')) return;
    if (const std::optional<Value> json = parse_json(text)) note_signs(*json, signs, depth + 1);
    return;
  }
  if (value.is_object()) {
    for (const char* name :
         {"code", "type", "status", "statusCode", "status_code", "error_type", "error_code", "__type", "reason"}) {
      note_name(member(value, name), signs);
    }
    const bool is_filtered = value.contains("content_filter_result") || value.contains("contentFilter") ||
                             value.contains("blockReason") || member(value, "filtered") == Value(true);
    if (is_filtered) signs.names.emplace_back("content_filter");
    note_wait(value, signs);
    signs.window = std::max(signs.window, count(member(value, "n_ctx")));
    signs.asked = std::max(signs.asked, count(member(value, "n_prompt_tokens")));
  }
  if (value.is_structured()) {
    for (const Value& inner : value) note_signs(inner, signs, depth + 1);
  }
}

bool names_any(const Signs& signs, std::initializer_list<std::string_view> words) {
  return std::any_of(signs.names.begin(), signs.names.end(), [&](const std::string& name) { return holds_any(name, words); });
}

/// Words that speak of the request's length and of nothing else.
bool speaks_of_length(std::string_view message) {
  constexpr std::array phrases = {"context length",
                                  "context size",
                                  "context window",
                                  "maximum context",
                                  "context_length",
                                  "context limit",
                                  "contextwindow",
                                  "prompt is too long",
                                  "prompt too long",
                                  "input is too long",
                                  "input too long",
                                  "reduce the length",
                                  "max_model_len",
                                  "model_max_length",
                                  "maximum input length",
                                  "maximum prompt length",
                                  "max input tokens",
                                  "exceeds the available context",
                                  "longer than the model",
                                  "max_input_length",
                                  "maximum number of tokens allowed",
                                  "maximum sequence length",
                                  "max_seq_len",
                                  "range of input length",
                                  "shorter prompt",
                                  "shorter input",
                                  "reduce your prompt",
                                  "expected maxlength",
                                  "\u8d85\u957f",               // over length
                                  "\u8f93\u5165\u8fc7\u957f"};  // the input is too long
  // The reply's own limit is an argument like another one.
  constexpr std::array of_reply = {"max_tokens", "max_completion_tokens", "max_new_tokens", "max_output_tokens"};
  if (holds_any(message, of_reply) && holds(message, "is too large")) return false;
  if (holds_any(message, phrases)) return true;
  const bool speaks_of_tokens = holds(message, "token") && (holds(message, "input") || holds(message, "prompt"));
  constexpr std::array verdicts = {"exceeds the maximum", "exceeds the limit", "exceeds max",    "cannot exceed",
                                   "must not exceed",     "must be <=",        "must be less",   "must have less",
                                   "must be at most",     "only supports",     "too many tokens"};
  return speaks_of_tokens && holds_any(message, verdicts);
}

bool is_too_long(int status, const Signs& signs, std::string_view message) {
  if (status == 429) return false;
  return names_any(signs, {"context_length_exceeded", "exceed_context_size", "context_window", "string_above_max_length",
                           "prompt_too_long", "request_too_large", "max_tokens_exceeded"}) ||
         status == 413 || speaks_of_length(message);
}

bool is_filtered(const Signs& signs, std::string_view message) {
  return names_any(signs, {"content_filter", "content_policy", "responsibleaipolicyviolation", "data_inspection_failed",
                           "datainspectionfailed", "moderation", "prohibited_content", "safety", "sensitive"}) ||
         holds(message, "content management policy") || holds(message, "content filter") || holds(message, "content policy") ||
         holds(message, "flagged by moderation") || holds(message, "was flagged") || holds(message, "inappropriate content") ||
         holds_any(message, std::array{"guardrail", "safety system", "usage guideline", "usage policy", "usage policies",
                                       "content exists risk", "content filtering", "harmful content",
                                       "\u654f\u611f",      // sensitive
                                       "\u8fdd\u89c4"}) ||  // against the rules
         (holds(message, "blocked by") && holds_any(message, std::array{"policy", "safety", "moderation", "filter"}));
}

/// The first number behind `word`, 0 where there is none.
double number_behind(std::string_view message, std::string_view word) {
  const std::size_t at = message.find(word);
  if (at == std::string_view::npos) return 0;
  const std::string_view behind = message.substr(std::min(message.find_first_of("0123456789", at), message.size()));
  double number = 0;
  std::from_chars(behind.data(), behind.data() + behind.size(), number);
  return number;
}

/// The first number behind one of the phrases.
template <class Phrases>
std::int64_t number_behind_any(std::string_view message, const Phrases& phrases) {
  for (const std::string_view phrase : phrases) {
    constexpr double most = 1e9;
    if (const double number = number_behind(message, phrase); number >= 1) return std::llround(std::min(number, most));
  }
  return 0;
}

std::int64_t window_named_in(std::string_view message) {
  constexpr std::array phrases = {"n_ctx",
                                  "context length is",
                                  "context length of",
                                  "context length (",
                                  "context size (",
                                  "context size of",
                                  "context size is",
                                  "context window of",
                                  "context window is",
                                  "context window (",
                                  "max_model_len",
                                  "max_seq_len",
                                  "context limit",
                                  "tokens allowed (",
                                  "input length",
                                  "input tokens exceeded: ",
                                  "tokens > ",
                                  "must be <=",
                                  "limit of",
                                  "limit is",
                                  "maximum of",
                                  "maximum context length"};
  return number_behind_any(message, phrases);
}

std::int64_t asked_named_in(std::string_view message) {
  constexpr std::array phrases = {"requested",       "resulted in",     "too long: ",   "token count (",
                                  "prompt length (", "prompt contains", "messages have"};
  return number_behind_any(message, phrases);
}

/// Counts that stand alone in a text and can be of tokens: no part of a name, no moment, no status.
std::vector<std::int64_t> counts_in(std::string_view message) {
  constexpr std::int64_t least = 256;
  constexpr std::int64_t most = 100'000'000;
  std::vector<std::int64_t> counts;
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  const auto is_part = [&](char c) { return is_word(c) || c == '.' || c == '-'; };
  for (std::size_t at = 0; (at = message.find_first_of("0123456789", at)) != message.npos;) {
    const std::size_t end = std::min(message.find_first_not_of("0123456789", at), message.size());
    std::int64_t count = 0;
    std::from_chars(message.data() + at, message.data() + end, count);
    // A dot that ends a sentence is no part of a number.
    const bool goes_on =
        end + 1 < message.size() && is_part(message[end]) && (message[end] != '.' || is_word(message[end + 1]));
    if ((at == 0 || !is_part(message[at - 1])) && !goes_on && count >= least && count <= most) counts.push_back(count);
    at = end;
  }
  return counts;
}

/// The window and what was asked, where the words around the numbers do not tell: of two numbers the smaller one is the window.
void complete_figures(EndpointError& error, std::string_view message) {
  std::vector<std::int64_t> counts = counts_in(message);
  counts.erase(std::remove(counts.begin(), counts.end(), error.status), counts.end());
  if (counts.empty()) return;
  constexpr std::int64_t least = 16;  // "input length should be [1, 30720]"
  const bool is_told = error.window >= least;
  if (!is_told && (error.window > 0 || counts.size() > 1)) error.window = *std::min_element(counts.begin(), counts.end());
  const std::int64_t largest = *std::max_element(counts.begin(), counts.end());
  constexpr std::int64_t unlikely = 1000;  // so many times the window
  if (error.window > 0 && error.asked <= error.window)
    error.asked = largest > error.window && largest / unlikely < error.window ? largest : 0;
}

/// Words of templates and validators that take the user's and the assistant's turns only.
bool refuses_roles(std::string_view message) {
  const bool of_roles =
      holds(message, "role") && (holds(message, "alternate") || holds(message, "alternating") || holds(message, "in turn"));
  if (of_roles || holds(message, "'user' or 'assistant'") || holds(message, "user and assistant in turn")) return true;
  const bool of_pairs = holds(message, "user") && holds(message, "assistant") && holds(message, "role");
  if (of_pairs && (holds(message, "only") || holds(message, "must be one of") || holds(message, "not one of"))) return true;
  if (holds(message, "first message") && holds(message, "user") && (holds(message, "must") || holds(message, "should")))
    return true;
  if (!holds(message, "system") && !holds(message, "developer")) return false;
  constexpr std::array things = {
      "role", "system message", "system prompt", "system instruction", "developer message", "developer instruction"};
  constexpr std::array verdicts = {
      "not support", "n't support", "unsupported", "not enabled",     "not allowed",  "not permitted",  "not accept",
      "not valid",   "invalid",     "unexpected",  "unknown",         "unrecognized", "not recognized", "not available",
      "no system",   "not one of",  "not among",   "not implemented", "disallow",     "must be 'user'", "must be user"};
  return holds_any(message, things) && holds_any(message, verdicts);
}

/// A limit of a minute that one request is over by itself.
bool is_over_the_rate_alone(std::string_view message) {
  const double limit = number_behind(message, "limit ");
  if (limit > 0 && number_behind(message, "requested") > limit) return true;
  return holds(message, "too large") && (holds(message, "minute") || holds(message, "tpm") || holds(message, "requested"));
}

bool speaks_of_money(std::string_view message) {
  constexpr std::array phrases = {"insufficient balance",
                                  "insufficient credit",
                                  "out of credits",
                                  "billing",
                                  "usage limit",
                                  "spending limit",
                                  "account is not active",
                                  "budget has been exceeded",
                                  "top up",
                                  "\u4f59\u989d\u4e0d\u8db3",  // the balance does not do
                                  "\u6b20\u8d39"};             // in arrears
  return holds_any(message, phrases);
}

/// A limit of a day or longer.
bool speaks_of_days(std::string_view message) {
  constexpr std::array spans = {"per day",   "per-day",   "per_day",   "daily",   "per week", "per-week",
                                "per month", "per-month", "per_month", "monthly", "weekly"};
  constexpr std::array verdicts = {"limit", "quota", "exceed", "credits"};
  return holds_any(message, spans) && holds_any(message, verdicts);
}

bool has_no_quota(int status, const Signs& signs, std::string_view message) {
  constexpr int payment_required = 402;
  if (status == payment_required) return true;
  return names_any(signs, {"insufficient_quota", "exceeded_current_quota", "billing", "usage_limit", "insufficient_balance",
                           "insufficient_credits", "insufficient_funds", "payment_required", "arrearage", "account_deactivated",
                           "quota_exceeded_permanently", "spend_limit", "budget_exceeded"}) ||
         (!names_any(signs, {"rate_limit"}) && speaks_of_money(message));
}

bool is_overload(int status, const Signs& signs, std::string_view message) {
  if (status == 429 || status == 503 || status == 529 || status == 499) return true;
  constexpr std::array phrases = {
      "overloaded",         "server is busy",    "server busy",        "too busy",      "are busy",           "queue full",
      "queue is full",      "too many requests", "rate limit",         "request limit", "qps limit",          "concurrency",
      "concurrent request", "no slot available", "at capacity",        "over capacity", "available capacity", "high traffic",
      "high demand",        "heavy load",        "maximum queue size", "backpressure"};
  return names_any(signs, {"overloaded", "rate_limit", "too_many_requests", "resource_exhausted", "throttl", "server_busy",
                           "capacity", "queue_full"}) ||
         holds_any(message, phrases);
}

bool names_passing_trouble(const Signs& signs) {
  return names_any(signs, {"server_error", "internal_error", "timeout", "unavailable", "api_connection_error", "cancelled"});
}

EndpointError judged(int status, std::string message, const Signs& signs, bool is_wait_named) {
  const bool is_answer = status == 0 || (status >= 200 && status < 300);
  EndpointError error{.message = std::move(message), .status = is_answer ? signs.status : status, .wait = signs.wait};
  const std::string lowered = lower_case(error.message);
  if (!error.wait) error.wait = net::wait_named_in(lowered);
  // A wrapper's own status hides the one that it was given.
  const int inner = signs.status != 0 ? signs.status : error.status;
  if (is_over_the_rate_alone(lowered) && is_overload(error.status, signs, lowered)) {
    error.cause = Cause::quota;
  } else if (inner != 429 && inner != 401 && inner != 403 && refuses_roles(lowered)) {
    error.cause = Cause::roles;
  } else if (is_too_long(inner, signs, lowered)) {
    error.cause = Cause::too_long;
  } else if (is_filtered(signs, lowered)) {
    error.cause = Cause::filtered;
  } else if (has_no_quota(inner, signs, lowered) && (!error.wait || names_any(signs, {"insufficient_quota"}))) {
    error.cause = Cause::quota;
  } else if (is_overload(error.status, signs, lowered)) {
    const bool is_over_for_long = speaks_of_days(lowered) && !error.wait && !is_wait_named;
    error.cause = is_over_for_long ? Cause::quota : Cause::overload;
  }
  if (error.cause == Cause::too_long) {
    error.window = signs.window > 0 ? signs.window : window_named_in(lowered);
    error.asked = signs.asked > 0 ? signs.asked : asked_named_in(lowered);
    complete_figures(error, lowered);
  }
  error.may_pass =
      error.cause == Cause::overload ||
      (error.cause == Cause::other && (net::is_worth_retrying(error.status) || (is_answer && names_passing_trouble(signs))));
  return error;
}

}  // namespace

bool names_an_error(const Value& json) {
  const Value& answer = json.is_array() && !json.empty() ? json.front() : json;
  const auto has = [&](const char* name) { return !member(answer, name).is_null() && !member(answer, name).empty(); };
  return has("error") || has("errors") || has("fault") || has("base_resp") || text(member(answer, "object")) == "error" ||
         text(member(answer, "type")) == "error";
}

bool says_what_is_wrong(const Value& json) {
  constexpr std::array names = {"message", "Message", "msg", "error_msg", "error_message", "errorMessage", "detail", "reason"};
  return std::any_of(names.begin(), names.end(), [&](const char* name) {
    const Value& said = member(json, name);
    return (said.is_string() || said.is_array()) && !reason_in(said, 0).empty();
  });
}

EndpointError endpoint_error_in(int status, const Value& json, bool is_wait_named) {
  Signs signs;
  note_signs(json, signs, 0);
  std::string message = reason_in(json, 0);
  if (message.empty() && !json.empty() && is_shallow(json))
    message = json.dump(-1, ' ', false, Value::error_handler_t::replace);
  return judged(status, std::move(message), signs, is_wait_named);
}

EndpointError read_endpoint_error(int status, std::string_view body, bool is_wait_named) {
  std::string_view text = trim(body);
  for (const std::string_view field : {"data:", "error:"}) {
    if (text.starts_with(field)) text = trim(text.substr(field.size()));
  }
  if (const std::optional<Value> json = parse_json(text); json && !json->is_null())
    return endpoint_error_in(status, *json, is_wait_named);
  return judged(status, reason_in_text(body, deepest), {}, is_wait_named);
}

}  // namespace tgd::lm::detail
