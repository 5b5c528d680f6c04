#include "optim/reply.hpp"

#include <optional>

#include <fmt/format.h>

#include "core/text.hpp"

namespace tgd::optim::detail {

namespace {

constexpr std::string_view open_tag = "<IMPROVED_VALUE>";
constexpr std::string_view close_tag = "</IMPROVED_VALUE>";

/// Whether there is a whole value before `end`: an opening tag and a closing one after it.
bool has_value_before(std::string_view text, std::size_t end) {
  const std::size_t open = text.substr(0, end).find(open_tag);
  return open != std::string_view::npos && text.substr(0, end).find(close_tag, open) != std::string_view::npos;
}

/// A tag of prompts/tgd_*.md that the value holds and the old value does not.
std::optional<std::string> leaked_tag(std::string_view value, std::string_view old_value) {
  for (const std::string_view name : {"IMPROVED_VALUE", "VALUE", "FEEDBACK", "FEEDBACK_CONTEXT", "CONSTRAINTS", "EARLIER_VERSIONS",
                                      "PAST_VALUE", "PAST_FEEDBACK"}) {
    for (const char* slash : {"", "/"}) {
      const std::string tag = fmt::format("<{}{}>", slash, name);
      if (value.find(tag) != std::string_view::npos && old_value.find(tag) == std::string_view::npos) return tag;
    }
  }
  return std::nullopt;
}

}  // namespace

std::variant<std::string, Unusable> read_value(const lm::Reply& reply, std::string_view old_value) {
  const std::string_view text = reply.content;
  if (reply.finish_reason == "length") return Unusable{"It was cut off because it is too long. Be more concise."};
  const std::size_t close = text.rfind(close_tag);
  // The last opening tag before the closing one: a model may mention the tags before it uses them.
  const std::size_t open = text.substr(0, close).rfind(open_tag);
  if (open == std::string_view::npos && close == std::string_view::npos) {
    return Unusable{"It has no value between <IMPROVED_VALUE> and </IMPROVED_VALUE>."};
  }
  if (open == std::string_view::npos) return Unusable{"The tag <IMPROVED_VALUE> in front of the value is missing."};
  if (close == std::string_view::npos) return Unusable{"The closing tag </IMPROVED_VALUE> is missing, so the value may be incomplete."};
  const std::size_t begin = open + open_tag.size();
  const std::size_t end = close + close_tag.size();
  // Of several values the last one counts, but only where it ends the reply: remarks after it may be about the tags.
  if (has_value_before(text, open) && !tgd::detail::trim(text.substr(end)).empty()) {
    return Unusable{"It has more than one value between <IMPROVED_VALUE> and </IMPROVED_VALUE>."};
  }
  const std::string_view value = tgd::detail::trim(text.substr(begin, close - begin));
  if (value.empty()) return Unusable{"The value between the tags is empty."};
  if (const auto tag = leaked_tag(value, old_value)) {
    return Unusable{fmt::format("The value holds the tag {}, which belongs to these instructions and not into the value.", *tag)};
  }
  return std::string(value);
}

}  // namespace tgd::optim::detail
