// What the published datasets share: their parts, and how their files come to this machine.
//
//   data::FacilitySupport train(data::Split::train, "data", {.download = true});
//
// A download is checked against the SHA-256 of the published file before it gets its name, so that a file that is there is
// whole, also when the process is killed or several processes download it at once. Only https is used, unless `url` says http.
// The environment variables of curl are obeyed: https_proxy, no_proxy, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR.
// Errors: ValueError when the file cannot be fetched or written, ParseError when it is another one than published. Both leave
// nothing behind.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

namespace tgd::data {

enum class Split { train, validation, test };

/// How far a download is. At its end `is_verified` says that the file is the published one and has its name.
struct DownloadProgress {
  std::string url;
  std::filesystem::path path;  ///< where the file will be
  std::size_t bytes = 0;       ///< received so far
  std::size_t size = 0;        ///< of the whole file
  bool is_verified = false;
};

/// Whether and from where a published file may be fetched; see the top of this file for checks and errors.
struct DownloadOptions {
  /// Fetch the file when it is not there. A path that does not exist is then taken for a folder and made.
  bool download = false;
  std::string url = {};  ///< instead of the published place, such as a mirror's
  /// Called on this thread: at the beginning, for each further hundredth, and at the end. What it throws ends the download.
  std::function<void(const DownloadProgress&)> on_progress = {};
};

}  // namespace tgd::data
