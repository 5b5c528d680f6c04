// Large JSON as text, quickly. Private to the library.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace tgd::detail {

/// Appends what value.dump(2) gives, byte for byte, with U+FFFD for invalid UTF-8; all lines but the first begin `indent` spaces
/// further in. Several times as fast for long texts, because what needs no escape is copied as a whole.
void append_json(std::string& text, const nlohmann::json& value, std::size_t indent = 0);

/// The pieces that it is made of. A member stands on a line of its own, `indent` + json_indent spaces in; `indent` is that of the
/// object or array.
constexpr std::size_t json_indent = 2;
void append_json_string(std::string& text, std::string_view value);
void begin_json_member(std::string& text, bool is_first, std::size_t indent);
void append_json_key(std::string& text, std::string_view key);
void end_json_members(std::string& text, bool is_empty, std::size_t indent, char close);

/// Appends an object, as append_json() does, from its keys, which are in their order, and what append_member(text, index) appends:
/// the values, with an indent of `indent` + json_indent. It is called by several threads at a time and must not wait for other
/// tasks. When it throws, the object is half written.
void append_object(std::string& text, std::span<const std::string> keys,
                   const std::function<void(std::string&, std::size_t)>& append_member, std::size_t indent = 0);

}  // namespace tgd::detail
