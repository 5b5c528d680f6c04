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

/// Parses JSON. Invalid UTF-8 and halves of characters become U+FFFD, NaN, infinities and numbers beyond all
/// bounds (1e400) null; nothing for what is no JSON even
/// so.
TGD_API std::optional<nlohmann::json> parse_json(std::string_view body);

/// Whether JSON may be compared, copied and written back.
bool is_shallow(const nlohmann::json& json);

}  // namespace tgd::lm::detail
