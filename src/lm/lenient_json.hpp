// Looking into JSON that others wrote: its shape is not known, and it may be only nearly right.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <tgd/export.hpp>

namespace tgd::lm::detail {

/// The member of an object; null where there is none or `object` is something else.
const nlohmann::json& member(const nlohmann::json& object, const char* key);

/// The text of a string; empty for anything else.
std::string text(const nlohmann::json& value);

/// A number as a count: rounded, not below 0; 0 for anything else.
std::int64_t count(const nlohmann::json& value);

/// Parses JSON. Invalid UTF-8 and halves of characters become U+FFFD, NaN, infinities and numbers beyond all bounds (1e400) null;
/// nothing for what is no JSON even so. `mended`: gets where the first of them stands, for people, when there were any.
TGD_API std::optional<nlohmann::json> parse_json(std::string_view body, std::string* mended = nullptr);

/// JSON with halves of surrogate pairs, which it may not hold alone, as hidden bytes (see hide_invalid_bytes).
std::string hide_halves(std::string_view json);

/// Whether JSON may be compared, copied and written back.
bool is_shallow(const nlohmann::json& json);

}  // namespace tgd::lm::detail
