// The lines of a run's journal. Each is a JSON object whose last member, "sum", is the CRC-32 of the bytes before it, so that a line
// which was damaged, or only half written, is known as such.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/json_reader.hpp"

namespace tgd::detail {

using JournalRecord = nlohmann::ordered_json;

/// CRC-32 (ISO-HDLC, as of zlib and PNG).
std::uint32_t crc32(std::string_view bytes);

/// A record as it stands in the file, with its newline. `record`: an object with at least one member.
std::string sealed(const JournalRecord& record);
/// The same with a last member more, whose value is there as text.
std::string sealed(const JournalRecord& record, std::string_view name, std::string_view json);

/// Hands over each record, and at which byte it ends. Damaged lines at the end are what a crash left, and are passed over; returns
/// how many bytes are sound. A file that is not there has none. Throws ParseError with file and line for a damaged line before a
/// sound one.
std::uint64_t read_journal(const std::filesystem::path& path,
                           const std::function<void(const JsonReader<JournalRecord>& record, std::uint64_t end)>& take);

}  // namespace tgd::detail
