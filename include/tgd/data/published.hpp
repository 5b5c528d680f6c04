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

#include <string>

namespace tgd::data {

enum class Split { train, validation, test };

struct DownloadOptions {
  /// Fetch the file when it is not there. A path that does not exist is then taken for a folder and made.
  bool download = false;
  std::string url = {};  ///< instead of the published place, such as a mirror's
};

}  // namespace tgd::data
