// Replies as JSON, for files.
#pragma once

#include <string>

#include <nlohmann/json.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// Without what is empty or 0. How long it took and who asked is no part of a reply.
nlohmann::ordered_json reply_to_json(const Reply& reply);
/// The same of an outcome that is a reply, and what it had used when it was there already.
nlohmann::ordered_json answer_to_json(const Outcome& outcome);
nlohmann::ordered_json usage_to_json(const Usage& usage);

/// Throws ParseError that names the member which is not as expected. Unknown members are passed over.
Reply reply_from_json(const nlohmann::ordered_json& json);
/// `source`: where it is read from.
Outcome answer_from_json(const nlohmann::ordered_json& json, ReplySource source);
Usage usage_from_json(const nlohmann::ordered_json& json);

/// Whether an outcome can be written down: replies, and what an endpoint failed with.
bool is_recordable(const Outcome& outcome);
/// A reply, or {"error": {"kind", "message", "status", "retryable"}, "usage"}. Has to be recordable.
nlohmann::ordered_json outcome_to_json(const Outcome& outcome);
Outcome outcome_from_json(const nlohmann::ordered_json& json, ReplySource source);

/// A member that has to be a text; `otherwise` where it is absent.
std::string text_member(const nlohmann::ordered_json& object, const char* name, const std::string& otherwise = {});

}  // namespace tgd::lm::detail
