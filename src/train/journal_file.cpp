#include "train/journal_file.hpp"

#include <array>
#include <optional>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "core/file.hpp"
#include "core/json_parser.hpp"
#include "core/json_text.hpp"

namespace tgd::detail {

namespace {

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t n = 0; n < table.size(); ++n) {
    std::uint32_t c = n;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1U) != 0 ? 0xedb88320U ^ (c >> 1U) : c >> 1U;
    table[n] = c;
  }
  return table;
}();

constexpr std::string_view seal_begin = ",\"sum\":\"";
constexpr std::string_view seal_end = "\"}";
constexpr std::size_t seal_size = seal_begin.size() + 8 + seal_end.size();

std::string seal_of(std::string_view bytes) { return fmt::format("{}{:08x}{}", seal_begin, crc32(bytes), seal_end); }

/// Without its brace.
std::string opened(const JournalRecord& record) {
  std::string line = json_text(record);
  line.pop_back();
  return line;
}

std::string closed(std::string line) {
  line += seal_of(line);
  return line += '\n';
}

/// The record, if its sum is right.
std::optional<JournalRecord> unsealed(std::string_view line) {
  if (line.size() < seal_size) return std::nullopt;
  const std::string_view body = line.substr(0, line.size() - seal_size);
  if (line.substr(body.size()) != seal_of(body)) return std::nullopt;
  auto record = parse_or_discard<JournalRecord>(line);
  return record.is_object() ? std::optional(std::move(record)) : std::nullopt;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) crc = crc_table[(crc ^ static_cast<unsigned char>(byte)) & 0xffU] ^ (crc >> 8U);
  return crc ^ 0xffffffffU;
}

std::string sealed(const JournalRecord& record) { return closed(opened(record)); }

std::string sealed(const JournalRecord& record, std::string_view name, std::string_view json) {
  return closed(opened(record).append(",\"").append(name).append("\":").append(json));
}

std::uint64_t read_journal(const std::filesystem::path& path,
                           const std::function<void(const JsonReader<JournalRecord>& record, std::uint64_t end)>& take) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return 0;
  const std::string text = read_file(path);
  JsonOrigin origin{path.string(), 0, {}};
  std::uint64_t sound = 0;
  std::size_t damaged_line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    ++origin.line;
    const std::optional<JournalRecord> record = unsealed(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    if (!record) {
      if (damaged_line == 0) damaged_line = origin.line;
      continue;
    }
    if (damaged_line != 0)
      throw ParseError(
          fmt::format("{}:{}: this line is damaged (its sum is not that of its text), and sound ones follow: put the "
                      "file back as it was, or take away this line and all behind it, which is asked anew then",
                      path.string(), damaged_line));
    take(JsonReader<JournalRecord>(*record, origin), begin);
    sound = begin;
  }
  return sound;
}

}  // namespace tgd::detail
