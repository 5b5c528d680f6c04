// `tgd report`: what a run did, as a page to look at.
#pragma once

#include <filesystem>

namespace tgd::cli {

/// Writes the report of a run folder, as report.html in it.
/// Throws TaskError where there is no run folder, ValueError where the file cannot be written.
void write_report(const std::filesystem::path& run_folder);

}  // namespace tgd::cli
