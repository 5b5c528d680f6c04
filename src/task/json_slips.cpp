#include "task/json_slips.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/text.hpp"
#include "task/json_tokens.hpp"

namespace tgd::cli {

namespace {

using Kind = JsonToken::Kind;
using Token = JsonToken;

/// The token that the parser stumbled over, those around it, and whether they are members of an object.
struct Surroundings {
  Token earlier;
  Token before;
  Token found;
  Token after;
  bool in_object = false;
};

Surroundings look_around(std::string_view text, std::size_t read) {
  Surroundings around;
  std::vector<bool> is_object;
  JsonTokens tokens(text);
  for (;;) {
    around.found = tokens.next();
    if (around.found.kind == Kind::end || around.found.kind == Kind::open_text) break;
    if (around.found.begin + around.found.text.size() >= read) break;
    if (around.found.is('{') || around.found.is('[')) is_object.push_back(around.found.is('{'));
    if ((around.found.is('}') || around.found.is(']')) && !is_object.empty()) is_object.pop_back();
    around.earlier = std::exchange(around.before, around.found);
  }
  around.in_object = !is_object.empty() && is_object.back();
  around.after = tokens.next();
  return around;
}

std::string word_advice(const Surroundings& around) {
  const std::string word = tgd::detail::excerpt(around.found.text, 30);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> others{
      {{"True", "true"}, {"False", "false"}, {"None", "null"}, {"nil", "null"}}};
  for (const auto& [other, json] : others) {
    if (word == other) return fmt::format("write {} instead of {}", json, word);
  }
  for (const std::string_view quote : {"\u201c", "\u201d", "\u201e", "\u2018", "\u2019"}) {
    if (around.found.text.starts_with(quote))
      return "texts and keys stand in plain double quotes (\"), not in typographic ones";
  }
  const bool is_key = around.in_object && (around.before.is('{') || around.before.is(','));
  if (is_key) return fmt::format("keys stand in double quotes; write \"{}\"", word);
  const bool is_number = word.find_first_not_of("0123456789+-.eE") == word.npos;
  return is_number ? std::string() : fmt::format("texts stand in double quotes; write \"{}\"", word);
}

std::string advice(const Surroundings& around) {
  const auto& [earlier, before, found, after, in_object] = around;
  if (found.kind == Kind::end)
    return before.kind == Kind::end ? "the file is empty"
                                    : fmt::format("the file ends too early; a closing {} is missing", in_object ? "}" : "]");
  if (found.kind == Kind::open_text)
    return "the text is not closed on its line; a \" is missing, or \\n has to stand for a line break inside it";
  if (found.is('\'')) return "texts and keys stand in double quotes (\"), not in single ones";
  if (found.is('#')) return "comments begin with // or stand between /* and */";
  if (found.is('=')) return "a colon stands between a key and its value, not =";
  if ((found.is('}') || found.is(']')) && before.is(','))
    return fmt::format("there is a comma before the closing {}; take it away", found.text);
  if (found.is(',') && !before.ends_value()) return "there is a comma too many here";
  const bool before_is_key = in_object && before.kind == Kind::text && (earlier.is('{') || earlier.is(','));
  if (before_is_key && found.begins_value())
    return fmt::format("a colon is missing between the key {} and its value", before.text);
  if (before.ends_value() && found.begins_value())
    return fmt::format("a comma is missing before {}", tgd::detail::excerpt(found.text, 30));
  return found.kind == Kind::word ? word_advice(around) : std::string();
}

}  // namespace

std::optional<JsonSlip> find_json_slip(std::string_view text, std::size_t read) {
  const Surroundings around = look_around(text, read);
  std::string words = advice(around);
  if (words.empty()) return std::nullopt;
  return JsonSlip{around.found.begin, std::move(words)};
}

}  // namespace tgd::cli
