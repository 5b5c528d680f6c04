// Large JSON as text, quickly. Private to the library.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace tgd::detail {

/// Appends what value.dump(2) gives, byte for byte, with U+FFFD for invalid UTF-8. Several times as fast for long texts, because
/// what needs no escape is copied as a whole.
void append_json(std::string& text, const nlohmann::json& value, std::size_t indent = 0);

void append_json_string(std::string& text, std::string_view value);

/// The same for an object of many members: several threads ask for the text of the member with a key's index. The keys are in their
/// order.
void append_object(std::string& text, std::span<const std::string> keys,
                   const std::function<void(std::string&, std::size_t)>& append_member, std::size_t indent = 0);

}  // namespace tgd::detail
