// What the messages of a program's own calls hold, whoever wrote them. Private to the library.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// The text of a message's "content": itself, or the texts of its parts, joined. What is no text is left out.
std::string content_text(const nlohmann::ordered_json& content);

/// Values as short as this stand in messages by chance.
inline constexpr std::size_t least_recognized = 12;

/// Which of the values stand in the messages with their whole text, white space around it aside. Short ones are never found.
std::vector<std::size_t> values_in(std::span<const Message> messages, std::span<const std::string> values);

/// The text with `by` where the whole value stands.
std::string with_replaced(std::string_view text, std::string_view value, std::string_view by);

}  // namespace tgd::lm::detail
