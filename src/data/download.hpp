// Files of published datasets: found on this machine or fetched over HTTP, checked and put there whole.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string_view>

#include <tgd/data/published.hpp>

namespace tgd::data::detail {

struct PublishedFile {
  std::string_view name;  ///< below a folder of datasets
  std::string_view url;
  std::string_view sha256;
  std::size_t size;                          ///< in bytes; a download ends when it gets longer
  std::chrono::duration<long> patience{60};  ///< a download ends when nothing comes for so long
};

/// The file at `path`: itself, or below that folder. Fetches it when it is not there and the options allow it. Throws ValueError
/// when there is none, and what download() throws.
std::filesystem::path locate(const PublishedFile& file, const std::filesystem::path& path, const DownloadOptions& options);

/// Fetches the file into `path`, whose folder is made. Throws ValueError when that fails, ParseError for another file.
void download(const PublishedFile& file, const std::filesystem::path& path,
              const std::function<void(const DownloadProgress&)>& on_progress);

}  // namespace tgd::data::detail
