#include "core/json_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/parallel.hpp"
#include "core/utf8.hpp"
#include "core/visible.hpp"

namespace tgd::detail {

namespace {

using Value = nlohmann::ordered_json;

constexpr std::size_t many_members = 200;
constexpr std::size_t part_size = 50;

constexpr std::array<bool, 256> make_escaped() {
  std::array<bool, 256> escaped{};
  for (std::size_t i = 0; i < 0x20; ++i) escaped[i] = true;
  escaped['"'] = true;
  escaped['\\'] = true;
  escaped[0x7F] = true;
  return escaped;
}
constexpr std::array<bool, 256> escaped = make_escaped();

/// Whether some of eight bytes is below 0x20, above 0x7E, a quotation mark or a backslash.
bool is_special(std::uint64_t eight) {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t tops = 0x80 * ones;
  const auto has_zero = [](std::uint64_t bytes) { return (bytes - ones) & ~bytes; };
  const std::uint64_t below_space = (eight - 0x20 * ones) & ~eight;
  return ((eight | below_space | has_zero(eight ^ ('"' * ones)) | has_zero(eight ^ ('\\' * ones)) |
           has_zero(eight ^ (0x7F * ones))) &
          tops) != 0;
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

}  // namespace

template <class Json>
std::string json_text(const Json& value, int indent) {
  return visible_json(value.dump(indent, ' ', false, Json::error_handler_t::replace));
}

template std::string json_text(const nlohmann::json&, int);
template std::string json_text(const nlohmann::ordered_json&, int);

void append_json_string(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  out += '"';
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::uint64_t eight = 0;
    const bool is_last = at + sizeof eight > text.size();
    if (!is_last) std::memcpy(&eight, text.data() + at, sizeof eight);
    if (!is_last && !is_special(eight)) {
      at += sizeof eight;
    } else if (static_cast<unsigned char>(text[at]) >= 0x80) {
      const std::size_t length = character_length(text.substr(at));
      if (length == 0) {
        out.resize(start);
        out += json_text(Value(text));
        return;
      }
      if (const std::string_view character = text.substr(at, length); is_hidden(character)) {
        out += text.substr(copied, at - copied);
        out += visible_json(std::string(character));
        copied = at + length;
      }
      at += length;
    } else if (escaped[static_cast<unsigned char>(text[at])]) {
      out += text.substr(copied, at - copied);
      append_escape(out, text[at]);
      copied = ++at;
    } else {
      ++at;
    }
  }
  out += text.substr(copied);
  out += '"';
}

void begin_json_member(std::string& out, bool is_first, std::size_t indent) {
  out += is_first ? "\n" : ",\n";
  out.append(indent + json_indent, ' ');
}

void append_json_key(std::string& out, std::string_view key) {
  append_json_string(out, key);
  out += ": ";
}

void end_json_members(std::string& out, bool is_empty, std::size_t indent, char close) {
  if (!is_empty) out.append("\n").append(indent, ' ');
  out += close;
}

namespace {

void append_value(std::string& out, const Value& value, std::size_t indent);

void append_member(std::string& out, const Value& value, Value::const_iterator member, std::size_t indent) {
  begin_json_member(out, member == value.begin(), indent);
  if (value.is_object()) append_json_key(out, member.key());
  append_value(out, *member, indent + json_indent);
}

/// Several threads write parts of many members, which then are put together.
void append_many_members(std::string& out, std::size_t count, const std::function<void(std::string&, std::size_t)>& append) {
  std::vector<std::string> parts(count / part_size + 1);
  parallel_for(parts.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t part = begin; part < end; ++part) {
      const std::size_t last = std::min(count, (part + 1) * part_size);
      for (std::size_t i = part * part_size; i < last; ++i) append(parts[part], i);
    }
  });
  for (std::string& part : parts) {
    out += part;
    part = {};
  }
}

void append_many_members(std::string& out, const Value& value, std::size_t indent) {
  std::vector<Value::const_iterator> members;
  members.reserve(value.size());
  for (auto member = value.begin(); member != value.end(); ++member) members.push_back(member);
  append_many_members(out, members.size(),
                      [&](std::string& part, std::size_t i) { append_member(part, value, members[i], indent); });
}

/// The members of an object or an array, each on a line of its own.
void append_members(std::string& out, const Value& value, std::size_t indent, char open, char close) {
  out += open;
  if (value.size() >= many_members) {
    append_many_members(out, value, indent);
  } else {
    for (auto member = value.begin(); member != value.end(); ++member) append_member(out, value, member, indent);
  }
  end_json_members(out, value.empty(), indent, close);
}

void append_value(std::string& out, const Value& value, std::size_t indent) {
  switch (value.type()) {
    case Value::value_t::object:
      return append_members(out, value, indent, '{', '}');
    case Value::value_t::array:
      return append_members(out, value, indent, '[', ']');
    case Value::value_t::string:
      return append_json_string(out, value.get_ref<const std::string&>());
    default:
      out += value.dump();
  }
}

}  // namespace

void append_json(std::string& text, const Value& value, std::size_t indent) { append_value(text, value, indent); }

void append_object(std::string& text, std::span<const std::string> keys,
                   const std::function<void(std::string&, std::size_t)>& append_member, std::size_t indent) {
  text += '{';
  append_many_members(text, keys.size(), [&](std::string& part, std::size_t i) {
    begin_json_member(part, i == 0, indent);
    append_json_key(part, keys[i]);
    append_member(part, i);
  });
  end_json_members(text, keys.empty(), indent, '}');
}

}  // namespace tgd::detail
