// Text files as people's programs save them: with a byte order mark, as UTF-16, or in an encoding that has to be named. What comes
// out is UTF-8, without a mark. Nothing is guessed that could be wrong: a mark and UTF-16's zero bytes are certain, all else is UTF-8
// or an error that names the first line that is not.
// Errors: ValueError for what cannot be read, ParseError (file:line) for bytes that are no text in the encoding.
// Private to the library and the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/file.hpp"

namespace tgd::detail {

/// What the first bytes of a text say, as iconv names it; empty for UTF-8 and all that has no mark.
struct MarkedEncoding {
  std::string name = {};
  std::size_t mark_size = 0;  ///< bytes of the mark
};
MarkedEncoding marked_encoding(std::string_view beginning);

/// Whether iconv knows it.
bool is_encoding(const std::string& name);

/// The file's text, read in pieces. `encoding`: as iconv names it; empty for what the first bytes say, or UTF-8, which is not checked.
/// A mark of UTF-8 is left out. Reading may throw.
std::unique_ptr<std::istream> open_text(const std::filesystem::path& path, const std::string& encoding = {});

/// The whole text, with line feeds at line ends. Of more than `most` bytes it is refused.
std::string read_text_file(const std::filesystem::path& path, std::uint64_t most = most_bytes);

/// The first line, from 1, that is not UTF-8. Reads all of the file, in pieces.
std::optional<std::size_t> first_line_that_is_no_utf8(const std::filesystem::path& path);

/// What to do about text that is not UTF-8.
inline constexpr const char* not_utf8_remedy =
    "save the file as UTF-8, for example with `iconv -f WINDOWS-1252 -t UTF-8`, where the program that wrote it knows no "
    "better";

}  // namespace tgd::detail
