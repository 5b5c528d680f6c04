#include "data/download.hpp"

#include <exception>
#include <new>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "core/file.hpp"
#include "core/sha256.hpp"
#include "net/handles.hpp"

namespace tgd::data::detail {

namespace {

using tgd::net::Authorities;
using tgd::net::Easy;

using OnProgress = std::function<void(const DownloadProgress&)>;

/// Tells how far a download is, in steps of a hundredth.
class Meter {
 public:
  Meter(const PublishedFile& file, const std::filesystem::path& path, const OnProgress& tell)
      : progress_{.url = std::string(file.url), .path = path, .size = file.size}, tell_(tell) {}

  void begin() { say(); }
  void received(std::size_t bytes) {
    constexpr std::size_t steps = 100;
    const bool is_next = bytes * steps / progress_.size > progress_.bytes * steps / progress_.size;
    if (!is_next) return;
    progress_.bytes = bytes;
    say();
  }
  void verified() {
    progress_.bytes = progress_.size;
    progress_.is_verified = true;
    say();
  }

 private:
  void say() const {
    if (tell_) tell_(progress_);
  }

  DownloadProgress progress_;
  const OnProgress& tell_;
};

struct Body {
  std::string bytes = {};
  std::size_t limit;
  Meter& meter;
  bool too_long = false;
  std::exception_ptr fault = {};  // of the callback: no exception may pass through curl
};

std::size_t receive(const char* data, std::size_t, std::size_t count, void* user) {
  auto& body = *static_cast<Body*>(user);
  body.too_long = count > body.limit - body.bytes.size();
  if (body.too_long) return 0;
  body.bytes.append(data, count);
  try {
    body.meter.received(body.bytes.size());
  } catch (...) {
    body.fault = std::current_exception();
    return 0;
  }
  return count;
}

std::string by_hand(const PublishedFile& file, const std::filesystem::path& path) {
  return fmt::format("get the file from {} by hand and put it at \"{}\"", file.url, path.string());
}

Easy make_get(const PublishedFile& file, Body& body, char* reason) {
  tgd::net::init_curl();
  Easy easy(curl_easy_init());
  if (!easy) throw std::bad_alloc();
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, std::string(file.url).c_str());
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "tgd");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 5L);
  // A redirection cannot leave TLS.
  tgd::net::allow_protocols(handle, file.url.starts_with("http://") ? "http,https" : "https");
  tgd::net::set_authorities(handle, Authorities::from_environment());
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 30L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, file.patience.count());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &receive);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &body);
  return easy;
}

std::string fetch(const PublishedFile& file, const std::filesystem::path& path, Meter& meter) {
  Body body{.limit = file.size, .meter = meter};
  char reason[CURL_ERROR_SIZE] = {};
  const Easy easy = make_get(file, body, reason);
  meter.begin();
  const CURLcode code = curl_easy_perform(easy.get());
  if (body.fault) std::rethrow_exception(body.fault);
  const auto fail = [&](const std::string& why) {
    throw ValueError(fmt::format("cannot download {}: {}; try again, or {}", file.url, why, by_hand(file, path)));
  };
  if (body.too_long) fail(fmt::format("the reply is longer than the {} bytes of the published file", file.size));
  if (code != CURLE_OK) fail(tgd::net::failure_of(easy.get(), code, reason, file.url).message);
  return std::move(body.bytes);
}

}  // namespace

void download(const PublishedFile& file, const std::filesystem::path& path, const OnProgress& on_progress) {
  Meter meter(file, path, on_progress);
  const std::string content = fetch(file, path, meter);
  const std::string digest = tgd::detail::sha256(content);
  if (digest != file.sha256) {
    throw ParseError(fmt::format("{}: this is not the published file: its SHA-256 is {}, expected {}; {}", file.url, digest,
                                 file.sha256, by_hand(file, path)));
  }
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) throw ValueError(fmt::format("cannot make the folder \"{}\": {}", path.parent_path().string(), error.message()));
  tgd::detail::write_file(path, content);
  meter.verified();
}

std::filesystem::path locate(const PublishedFile& file, const std::filesystem::path& path, const DownloadOptions& options) {
  std::error_code ignored;
  const bool is_there = std::filesystem::exists(path, ignored);
  const bool is_folder = is_there ? std::filesystem::is_directory(path, ignored) : options.download;
  const std::filesystem::path place = is_folder ? path / file.name : path;
  if (std::filesystem::exists(place, ignored)) return place;

  PublishedFile source = file;
  if (!options.url.empty()) source.url = options.url;
  if (!options.download) {
    throw ValueError(fmt::format("there is no dataset at \"{}\"; have it downloaded with {{.download = true}}, or {}",
                                 place.string(), by_hand(source, place)));
  }
  download(source, place, options.on_progress);
  return place;
}

}  // namespace tgd::data::detail
