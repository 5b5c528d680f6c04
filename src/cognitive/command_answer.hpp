// What evaluators, functions and agents by command share: how an item is shown to a command, and how its answer is read.
// Private to the library.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>
#include <tgd/data.hpp>
#include <tgd/lm/chat_model.hpp>

#include "core/json_parser.hpp"
#include "core/one_line.hpp"

namespace tgd::detail {

inline nlohmann::ordered_json item_json(const Data& item) {
  if (item.is_text()) return item.text();
  return item.kind() == Data::Kind::integer ? nlohmann::ordered_json(item.integer()) : nlohmann::ordered_json(item.real());
}

inline lm::Request command_request(const nlohmann::ordered_json& question, std::string purpose, std::size_t item) {
  lm::Request request;
  request.messages.push_back({"user", question.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)});
  request.info.purpose = std::move(purpose);
  request.info.item = item;
  return request;
}

/// An object; what a model says that is no command may be something else.
inline nlohmann::ordered_json command_answer(const lm::Reply& reply) {
  auto answer = parse_or_discard<nlohmann::ordered_json>(reply.content);
  return answer.is_object() ? std::move(answer) : nlohmann::ordered_json::object();
}

inline std::string unusable_answer(std::string_view problem) {
  return "the command gave no usable answer: " + std::string(problem);
}

/// As it stands in the answer: texts have quotes of their own.
inline std::string quoted_json(const nlohmann::ordered_json& value) {
  return one_line(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace tgd::detail
