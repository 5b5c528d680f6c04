// Looking into JSON that others wrote: its shape is not known, and it may be only nearly right.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace tgd::lm::detail {

/// The member of an object; null where there is none or `object` is something else. Value is a nlohmann::json or ordered_json here
/// and below, and no temporary.
template <class Value>
const Value& member(const Value& object, const char* key) {
  static const Value absent;
  if (!object.is_object()) return absent;
  const auto found = object.find(key);
  return found == object.end() ? absent : *found;
}

/// The text of a string; empty for anything else.
std::string text(const nlohmann::json& value);

/// A number as a count: rounded, not below 0; 0 for anything else.
template <class Value>
std::int64_t count(const Value& value);
extern template std::int64_t count(const nlohmann::json&);
extern template std::int64_t count(const nlohmann::ordered_json&);

/// Parses JSON. Invalid UTF-8 and halves of characters become U+FFFD, NaN, infinities and numbers beyond all bounds (1e400) null;
/// nothing for what is no JSON even so. `mended`: gets where the first of them stands, for people, when there were any.
template <class Value = nlohmann::json>
std::optional<Value> parse_json(std::string_view body, std::string* mended = nullptr);
extern template std::optional<nlohmann::json> parse_json(std::string_view, std::string*);
extern template std::optional<nlohmann::ordered_json> parse_json(std::string_view, std::string*);

/// JSON with halves of surrogate pairs, which it may not hold alone, as hidden bytes (see hide_invalid_bytes).
std::string hide_halves(std::string_view json);

/// Whether JSON may be compared, copied and written back.
bool is_shallow(const nlohmann::json& json);

}  // namespace tgd::lm::detail
