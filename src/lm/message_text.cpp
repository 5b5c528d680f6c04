#include "lm/message_text.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/text.hpp"

namespace tgd::lm::detail {

std::string content_text(const nlohmann::ordered_json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (!content.is_array()) return text;
  for (const nlohmann::ordered_json& part : content) {
    const auto found = part.is_object() ? part.find("text") : part.end();
    if (!part.is_object() || found == part.end() || !found->is_string()) continue;
    text.append(text.empty() ? "" : "\n").append(found->get<std::string>());
  }
  return text;
}

std::vector<std::size_t> values_in(std::span<const Message> messages, std::span<const std::string> values) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string_view value = tgd::detail::trim(values[i]);
    if (tgd::detail::count_characters(value) < least_recognized) continue;
    const bool is_there = std::any_of(messages.begin(), messages.end(), [value](const Message& message) {
      return message.content.find(value) != std::string::npos;
    });
    if (is_there) found.push_back(i);
  }
  return found;
}

std::string with_replaced(std::string_view text, std::string_view value, std::string_view by) {
  value = tgd::detail::trim(value);
  if (value.empty()) return std::string(text);
  std::string result;
  for (std::size_t found = text.find(value); found != text.npos; found = text.find(value)) {
    result.append(text.substr(0, found)).append(by);
    text.remove_prefix(found + value.size());
  }
  return result.append(text);
}

}  // namespace tgd::lm::detail
