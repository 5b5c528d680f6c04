// Whole files. A file is written under a temporary name, synced and renamed, so that whoever reads it, and whoever finds it
// after a crash, sees the old content or the new and never a part.
// Errors: ValueError with the path and the system's reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <tgd/export.hpp>

namespace tgd::detail {

TGD_API std::string read_file(const std::filesystem::path& path);
/// Keeps the first `bytes` of a file that has more, in place. A file that is not there stays so.
TGD_API void cut_file(const std::filesystem::path& path, std::uint64_t bytes);
TGD_API void write_file(const std::filesystem::path& path, std::string_view content);
/// For a file that several processes or threads may write at the same time. Leaves no temporary file when it fails.
TGD_API void write_shared_file(const std::filesystem::path& path, std::string_view content);

}  // namespace tgd::detail
