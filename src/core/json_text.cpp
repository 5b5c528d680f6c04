#include "core/json_text.hpp"

#include <array>
#include <cstdint>
#include <cstring>
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

/// Whether some of eight bytes is below 0x20, above 0x7F, a quotation mark or a backslash.
bool is_special(std::uint64_t eight) {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t tops = 0x80 * ones;
  const auto has_zero = [](std::uint64_t bytes) { return (bytes - ones) & ~bytes; };
  const std::uint64_t below_space = (eight - 0x20 * ones) & ~eight;
  return ((eight | below_space | has_zero(eight ^ ('"' * ones)) | has_zero(eight ^ ('\\' * ones))) & tops) != 0;
}

/// How far the text can be copied as it is.
std::size_t length_without_escapes(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    std::uint64_t eight = 0;
    const bool is_last = length + sizeof eight > text.size();
    if (!is_last) std::memcpy(&eight, text.data() + length, sizeof eight);
    if (!is_last && !is_special(eight)) {
      length += sizeof eight;
    } else if (escaped[static_cast<unsigned char>(text[length])]) {
      break;
    } else {
      ++length;
    }
  }
  return length;
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

void append_string(std::string& out, std::string_view text) {
  if (!is_utf8(text)) {
    out += Value(text).dump(-1, ' ', false, Value::error_handler_t::replace);
    return;
  }
  out += '"';
  while (!text.empty()) {
    const std::size_t length = length_without_escapes(text);
    out += text.substr(0, length);
    text.remove_prefix(length);
    if (text.empty()) break;
    append_escape(out, text.front());
    text.remove_prefix(1);
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
