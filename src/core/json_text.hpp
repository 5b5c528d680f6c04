// JSON as text for files, terminals and logs: whoever looks at it there sees what it holds. Characters that are hidden (see
// core/visible.hpp) are escaped, and invalid UTF-8 is U+FFFD. Private to the library and the program.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace tgd::detail {

/// With an indent of -1 in one line, as of dump(). Value is nlohmann::json or nlohmann::ordered_json.
template <class Value>
std::string json_text(const Value& value, int indent = -1);
extern template std::string json_text(const nlohmann::json&, int);
extern template std::string json_text(const nlohmann::ordered_json&, int);

/// Appends what json_text(value, 2) gives, byte for byte; all lines but the first begin `indent` spaces further in. Several times as
/// fast for long texts, because what needs no escape is copied as a whole.
void append_json(std::string& text, const nlohmann::ordered_json& value, std::size_t indent = 0);

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
