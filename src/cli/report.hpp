// `tgd report`: what a run did, as a page to look at.
#pragma once

#include <filesystem>
#include <optional>

namespace tgd::cli {

/// Writes the report of a run folder, as report.html in it unless another file is named, and returns its path.
/// Throws TaskError where there is no run folder, ValueError where the file cannot be written.
std::filesystem::path write_report(const std::filesystem::path& run_folder,
                                   const std::optional<std::filesystem::path>& file = std::nullopt);

}  // namespace tgd::cli
