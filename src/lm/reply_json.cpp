#include "lm/reply_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <tgd/error.hpp>

#include "core/enum_names.hpp"
#include "lm/error_kinds.hpp"

namespace tgd::lm::detail {

using Ordered = nlohmann::ordered_json;

namespace {

[[noreturn]] void refuse(const char* name, const char* expected, const Ordered& found) {
  throw ParseError(std::string("\"") + name + "\" must be " + expected + ", but is " +
                   found.dump(-1, ' ', false, Ordered::error_handler_t::replace).substr(0, 100));
}

/// A call that was cancelled, or that no script had an answer to, says nothing about its request.
bool is_of_request(LMError::Kind kind) { return kind != LMError::Kind::cancelled && kind != LMError::Kind::script; }

std::optional<LMError> recorded_error(const Outcome& outcome) {
  try {
    std::rethrow_exception(outcome.error());
  } catch (const LMError& error) {
    if (is_of_request(error.kind())) return error;
  } catch (...) {
  }
  return std::nullopt;
}

Ordered error_to_json(const LMError& error) {
  Ordered json;
  json["kind"] = tgd::detail::name_in(error_kinds, error.kind());
  json["message"] = error.what();
  if (error.status() != 0) json["status"] = error.status();
  if (error.retryable()) json["retryable"] = true;
  return json;
}

LMError error_from_json(const Ordered& json) {
  if (!json.is_object()) throw ParseError("\"error\" must be an object");
  const std::string name = text_member(json, "kind");
  const auto kind =
      std::find_if(error_kinds.begin(), error_kinds.end(), [&](const auto& known) { return known.second == name; });
  if (kind == error_kinds.end() || !is_of_request(kind->first)) throw ParseError("\"" + name + "\" is no kind of error");
  const Ordered status = json.value("status", Ordered(0));
  const Ordered retryable = json.value("retryable", Ordered(false));
  const bool is_status = status.is_number_integer() && status >= 0 && status < 1000;
  if (!is_status || !retryable.is_boolean()) throw ParseError("an error's \"status\" or \"retryable\" is of another type");
  return {kind->first, text_member(json, "message"), status.get<int>(), retryable.get<bool>()};
}

}  // namespace

std::string text_member(const Ordered& object, const char* name, const std::string& otherwise) {
  const auto member = object.find(name);
  if (member == object.end()) return otherwise;
  if (!member->is_string()) refuse(name, "a text", *member);
  return member->get<std::string>();
}

Ordered usage_to_json(const Usage& usage) {
  Ordered json = Ordered::object();
  const Json all = usage.to_json();
  for (const auto& figure : all.value().items()) {
    if (figure.value() != 0) json[figure.key()] = figure.value().get<std::int64_t>();
  }
  return json;
}

Usage usage_from_json(const Ordered& json) {
  if (!json.is_object()) refuse("usage", "an object", json);
  try {
    return Usage::from_json(json);
  } catch (const ValueError& error) {
    throw ParseError(error.what());
  }
}

namespace {

// JSON has no number for minus infinity.
Ordered chance_to_json(const std::string& token, double logprob) {
  return Ordered::array({token, std::isfinite(logprob) ? Ordered(logprob) : Ordered()});
}

Ordered logprobs_to_json(const std::vector<TokenLogprob>& logprobs) {
  Ordered list = Ordered::array();
  for (const TokenLogprob& each : logprobs) {
    Ordered entry = chance_to_json(each.token, each.logprob);
    for (const TokenChance& other : each.alternatives) entry.push_back(chance_to_json(other.token, other.logprob));
    list.push_back(std::move(entry));
  }
  return list;
}

TokenChance chance_from_json(const Ordered& json) {
  constexpr const char* expected = "a list of tokens, each with its logarithm and its alternatives";
  if (!json.is_array() || json.size() < 2 || !json[0].is_string() || !(json[1].is_number() || json[1].is_null()))
    refuse("logprobs", expected, json);
  return {json[0].get<std::string>(), json[1].is_null() ? -std::numeric_limits<double>::infinity() : json[1].get<double>()};
}

std::vector<TokenLogprob> logprobs_from_json(const Ordered& json) {
  if (!json.is_array()) refuse("logprobs", "a list", json);
  std::vector<TokenLogprob> logprobs;
  for (const Ordered& each : json) {
    const TokenChance token = chance_from_json(each);
    logprobs.push_back({token.token, token.logprob, {}});
    for (std::size_t i = 2; i < each.size(); ++i) logprobs.back().alternatives.push_back(chance_from_json(each[i]));
  }
  return logprobs;
}

}  // namespace

Ordered reply_to_json(const Reply& reply) {
  Ordered json;
  json["content"] = reply.content;
  if (!reply.alternatives.empty()) json["alternatives"] = reply.alternatives;
  if (!reply.reasoning.empty()) json["reasoning"] = reply.reasoning;
  if (!reply.logprobs.empty()) json["logprobs"] = logprobs_to_json(reply.logprobs);
  if (!reply.finish_reason.empty()) json["finish_reason"] = reply.finish_reason;
  if (!reply.model.empty()) json["model"] = reply.model;
  if (reply.usage != Usage{}) json["usage"] = usage_to_json(reply.usage);
  return json;
}

Ordered answer_to_json(const Outcome& outcome) {
  Ordered json = reply_to_json(outcome.value());
  if (const auto& original = outcome.receipt().original_usage) json["cached_usage"] = usage_to_json(*original);
  return json;
}

Reply reply_from_json(const Ordered& json) {
  if (!json.is_object()) refuse("reply", "an object", json);
  if (!json.contains("content")) throw ParseError("a reply lacks its \"content\"");
  Reply reply{.content = text_member(json, "content"),
              .finish_reason = text_member(json, "finish_reason"),
              .model = text_member(json, "model"),
              .reasoning = text_member(json, "reasoning")};
  if (const auto usage = json.find("usage"); usage != json.end()) reply.usage = usage_from_json(*usage);
  if (const auto logprobs = json.find("logprobs"); logprobs != json.end()) reply.logprobs = logprobs_from_json(*logprobs);
  if (const auto alternatives = json.find("alternatives"); alternatives != json.end()) {
    if (!alternatives->is_array()) refuse("alternatives", "a list of texts", *alternatives);
    for (const Ordered& text : *alternatives) {
      if (!text.is_string()) refuse("alternatives", "a list of texts", *alternatives);
      reply.alternatives.push_back(text.get<std::string>());
    }
  }
  return reply;
}

Outcome answer_from_json(const Ordered& json, ReplySource source) {
  Outcome outcome = reply_from_json(json);
  Receipt receipt = outcome.receipt();
  receipt.source = source;
  if (const auto original = json.find("cached_usage"); original != json.end())
    receipt.original_usage = usage_from_json(*original);
  outcome.set_receipt(receipt);
  return outcome;
}

bool is_recordable(const Outcome& outcome) { return outcome.ok() || recorded_error(outcome).has_value(); }

Ordered outcome_to_json(const Outcome& outcome) {
  if (outcome.ok()) return answer_to_json(outcome);
  Ordered json;
  if (const std::optional<LMError> error = recorded_error(outcome)) json["error"] = error_to_json(*error);
  if (outcome.usage() != Usage{}) json["usage"] = usage_to_json(outcome.usage());
  return json;
}

Outcome outcome_from_json(const Ordered& json, ReplySource source) {
  if (!json.is_object()) throw ParseError("a reply must be an object");
  const auto error = json.find("error");
  if (error == json.end()) return answer_from_json(json, source);
  const auto usage = json.find("usage");
  Outcome outcome(error_from_json(*error), usage == json.end() ? Usage{} : usage_from_json(*usage));
  outcome.set_receipt({.usage = outcome.usage(), .source = source});
  return outcome;
}

}  // namespace tgd::lm::detail
