#include "core/json_text.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

using Value = nlohmann::json;

constexpr std::size_t indent_width = 2;

constexpr std::array<bool, 256> make_escaped() {
  std::array<bool, 256> escaped{};
  for (std::size_t i = 0; i < 0x20; ++i) escaped[i] = true;
  escaped['"'] = true;
  escaped['\\'] = true;
  return escaped;
}
constexpr std::array<bool, 256> escaped = make_escaped();

bool is_ascii(std::string_view text) {
  unsigned char all = 0;
  for (const char c : text) all = static_cast<unsigned char>(all | static_cast<unsigned char>(c));
  return all < 0x80;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view named = "\b\f\n\r\t\"\\";
  constexpr std::string_view names = "bfnrt\"\\";
  constexpr std::string_view digits = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(c);
  if (const std::size_t at = named.find(c); at != std::string_view::npos) {
    out.append({'\\', names[at]});
  } else {
    out.append("\\u00").append({digits[code >> 4U], digits[code & 0xFU]});
  }
}

void append_string(std::string& out, const std::string& text) {
  if (!is_ascii(text) && !is_utf8(text)) {
    out += Value(text).dump(-1, ' ', false, Value::error_handler_t::replace);
    return;
  }
  out += '"';
  const auto needs_escape = [](char c) { return escaped[static_cast<unsigned char>(c)]; };
  for (auto run = text.begin(); run != text.end();) {
    const auto end = std::find_if(run, text.end(), needs_escape);
    out.append(run, end);
    run = end;
    if (run != text.end()) append_escape(out, *run++);
  }
  out += '"';
}

void append_value(std::string& out, const Value& value, std::size_t indent);

/// The members of an object or an array, each on a line of its own.
void append_members(std::string& out, const Value& value, std::size_t indent, char open, char close) {
  out += open;
  for (auto member = value.begin(); member != value.end(); ++member) {
    out += member == value.begin() ? "\n" : ",\n";
    out.append(indent + indent_width, ' ');
    if (value.is_object()) {
      append_string(out, member.key());
      out += ": ";
    }
    append_value(out, *member, indent + indent_width);
  }
  if (!value.empty()) out.append("\n").append(indent, ' ');
  out += close;
}

void append_value(std::string& out, const Value& value, std::size_t indent) {
  switch (value.type()) {
    case Value::value_t::object:
      return append_members(out, value, indent, '{', '}');
    case Value::value_t::array:
      return append_members(out, value, indent, '[', ']');
    case Value::value_t::string:
      return append_string(out, value.get_ref<const std::string&>());
    default:
      out += value.dump();
  }
}

}  // namespace

void append_json(std::string& text, const Value& value) { append_value(text, value, 0); }

}  // namespace tgd::detail
