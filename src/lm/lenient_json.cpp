#include "lm/lenient_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "core/brackets.hpp"
#include "core/json_parser.hpp"
#include "core/one_line.hpp"
#include "core/saturating.hpp"
#include "core/utf8.hpp"
#include "lm/utf8_joiner.hpp"

namespace tgd::lm::detail {

std::string text(const nlohmann::json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

template <class Value>
std::int64_t count(const Value& value) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  if (value.is_number_unsigned()) {
    return static_cast<std::int64_t>(std::min(value.template get<std::uint64_t>(), static_cast<std::uint64_t>(most)));
  }
  if (value.is_number_integer()) return std::max<std::int64_t>(0, value.template get<std::int64_t>());
  if (!value.is_number_float()) return 0;
  return tgd::detail::count_of(value.template get<double>());
}

template std::int64_t count(const nlohmann::json&);
template std::int64_t count(const nlohmann::ordered_json&);

namespace {

// The code unit of an escape "\uXXXX" that starts at `at`, or -1.
int code_unit(std::string_view json, std::size_t at) {
  if (at + 6 > json.size() || json[at] != '\\' || json[at + 1] != 'u') return -1;
  int unit = 0;
  for (const char c : json.substr(at + 2, 4)) {
    const char* digits = "0123456789abcdef";
    const char* digit = std::find(digits, digits + 16, c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    if (digit == digits + 16) return -1;
    unit = unit * 16 + static_cast<int>(digit - digits);
  }
  return unit;
}

bool is_high_surrogate(int unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low_surrogate(int unit) { return unit >= 0xdc00 && unit < 0xe000; }

// A text that was cut between two halves of a character leaves half an escape, which is no JSON.
template <class StandIn>
std::string with_stand_ins(std::string_view json, StandIn stand_in) {
  std::string result;
  result.reserve(json.size());
  for (std::size_t at = 0; at < json.size();) {
    const int unit = code_unit(json, at);
    std::size_t length = unit >= 0 ? 6 : 1;
    if (unit < 0 && json[at] == '\\') length = 2;
    const bool pair = is_high_surrogate(unit) && is_low_surrogate(code_unit(json, at + 6));
    if (pair) length = 12;
    if (!pair && (is_high_surrogate(unit) || is_low_surrogate(unit))) {
      result += stand_in(unit);
    } else {
      result += json.substr(at, length);
    }
    at += length;
  }
  return result;
}

std::string without_lone_surrogates(std::string_view json) {
  return with_stand_ins(json, [](int) { return "\\ufffd"; });
}

constexpr std::string_view number_characters = "+-.0123456789eE";

/// The length of the number that a text begins with where it is too large for any type; else 0.
std::size_t length_of_infinite(std::string_view text) {
  const std::size_t length = std::min(text.find_first_not_of(number_characters), text.size());
  if (length == 0 || text.substr(0, 2).find_first_of("0123456789") == std::string_view::npos) return 0;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, number);
  return error == std::errc::result_out_of_range && end == text.data() + length ? length : 0;
}

// Python's writer knows NaN and infinities, JSON does not; and 1e400 is JSON, but no number of ours. They become null.
std::string without_infinities(std::string_view json) {
  constexpr std::array words = {std::string_view("-Infinity"), std::string_view("Infinity"), std::string_view("NaN")};
  std::string result;
  result.reserve(json.size());
  bool in_text = false;
  bool is_in_number = false;
  for (std::size_t at = 0; at < json.size();) {
    const auto word =
        std::find_if(words.begin(), words.end(), [&](std::string_view known) { return json.substr(at).starts_with(known); });
    const std::size_t length = in_text               ? 0
                               : word != words.end() ? word->size()
                               : is_in_number        ? 0
                                                     : length_of_infinite(json.substr(at));
    if (length > 0) {
      result += "null";
      at += length;
      continue;
    }
    is_in_number = !in_text && number_characters.find(json[at]) != std::string_view::npos;
    const bool escapes = in_text && json[at] == '\\' && at + 1 < json.size();
    if (json[at] == '"') in_text = !in_text;
    result += json.substr(at, escapes ? 2 : 1);
    at += escapes ? 2 : 1;
  }
  return result;
}

}  // namespace

namespace {

/// Where the first byte stands that belongs to no character, or the first half of a character; the end where there is none.
std::size_t first_broken(std::string_view body) {
  for (std::size_t at = 0; at < body.size();) {
    const int unit = code_unit(body, at);
    const bool pair = is_high_surrogate(unit) && is_low_surrogate(code_unit(body, at + 6));
    if (!pair && (is_high_surrogate(unit) || is_low_surrogate(unit))) return at;
    const std::size_t length = tgd::detail::character_length(body.substr(at));
    if (length == 0) return at;
    at += pair ? 12 : unit < 0 && body[at] == '\\' ? 2 : length;
  }
  return body.size();
}

void say_where_broken(std::string_view body, std::string& mended) {
  const std::size_t at = first_broken(body);
  if (at >= body.size()) return;
  constexpr std::size_t before = 20;
  const std::size_t begin = at - std::min(at, before);
  mended = "byte " + std::to_string(at) + " of a reply: " + tgd::detail::in_quotes(body.substr(begin, 2 * before));
}

}  // namespace

std::string hide_halves(std::string_view json) {
  return with_stand_ins(json, [](int unit) {
    std::string half;
    tgd::detail::append_utf8(half, static_cast<char32_t>(unit));
    return hide_invalid_bytes(half);
  });
}

template <class Value>
std::optional<Value> parse_json(std::string_view body, std::string* mended) {
  using tgd::detail::parse_or_discard;
  if (tgd::detail::too_deep_at(body, false)) return std::nullopt;
  Value json = parse_or_discard<Value>(body);
  if (json.is_discarded() && mended != nullptr) say_where_broken(body, *mended);
  if (json.is_discarded()) {
    const std::string whole = without_lone_surrogates(tgd::detail::valid_utf8(body));
    json = parse_or_discard<Value>(whole);
    if (json.is_discarded()) json = parse_or_discard<Value>(without_infinities(whole));
  }
  if (json.is_discarded()) return std::nullopt;
  return json;
}

template std::optional<nlohmann::json> parse_json(std::string_view, std::string*);
template std::optional<nlohmann::ordered_json> parse_json(std::string_view, std::string*);

namespace {

bool is_within(const nlohmann::json& json, int depth) {
  if (!json.is_structured()) return true;
  return depth > 0 &&
         std::all_of(json.begin(), json.end(), [depth](const nlohmann::json& inner) { return is_within(inner, depth - 1); });
}

}  // namespace

bool is_shallow(const nlohmann::json& json) { return is_within(json, tgd::detail::deepest_nesting); }

}  // namespace tgd::lm::detail
