#include "lm/reply_json.hpp"

#include <tgd/error.hpp>

namespace tgd::lm::detail {

using Ordered = nlohmann::ordered_json;

namespace {

[[noreturn]] void refuse(const char* name, const char* expected, const Ordered& found) {
  throw ParseError(std::string("\"") + name + "\" must be " + expected + ", but is " +
                   found.dump(-1, ' ', false, Ordered::error_handler_t::replace).substr(0, 100));
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
    return Usage::from_json(nlohmann::json(json));
  } catch (const ValueError& error) {
    throw ParseError(error.what());
  }
}

Ordered reply_to_json(const Reply& reply) {
  Ordered json;
  json["content"] = reply.content;
  if (!reply.alternatives.empty()) json["alternatives"] = reply.alternatives;
  if (!reply.reasoning.empty()) json["reasoning"] = reply.reasoning;
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
  if (const auto original = json.find("cached_usage"); original != json.end()) receipt.original_usage = usage_from_json(*original);
  outcome.set_receipt(receipt);
  return outcome;
}

}  // namespace tgd::lm::detail
