// Large JSON as text, quickly. Private to the library.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace tgd::detail {

/// Appends what value.dump(2) gives, byte for byte, with U+FFFD for invalid UTF-8. Several times as fast for long texts, because
/// what needs no escape is copied as a whole.
void append_json(std::string& text, const nlohmann::json& value);

}  // namespace tgd::detail
