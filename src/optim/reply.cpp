#include "optim/reply.hpp"

#include "core/text.hpp"

namespace tgd::optim::detail {

namespace {

constexpr std::string_view open_tag = "<IMPROVED_VALUE>";
constexpr std::string_view close_tag = "</IMPROVED_VALUE>";

}  // namespace

std::variant<std::string, Unusable> read_value(const lm::Reply& reply) {
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
  const std::string_view value = tgd::detail::trim(text.substr(begin, close - begin));
  if (value.empty()) return Unusable{"The value between the tags is empty."};
  return std::string(value);
}

}  // namespace tgd::optim::detail
