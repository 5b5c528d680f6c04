#include "lm/curl_handles.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string_view>

namespace tgd::lm::detail {

namespace {

void append(HeaderList& list, const std::string& line) {
  curl_slist* extended = curl_slist_append(list.get(), line.c_str());
  if (extended == nullptr) throw std::bad_alloc();
  static_cast<void>(list.release());
  list.reset(extended);
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr ? value : "";
}

}  // namespace

// Never cleaned up: the program may use libcurl on its own.
void init_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::runtime_error(std::string("libcurl cannot be initialized: ") + curl_easy_strerror(code));
}

void set_authorities(CURL* handle, const Authorities& authorities) {
  if (!authorities.file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, authorities.file.c_str());
  if (!authorities.folder.empty()) curl_easy_setopt(handle, CURLOPT_CAPATH, authorities.folder.c_str());
}

void allow_protocols(CURL* handle, const char* protocols) {
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, protocols);
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
#else
  const bool plain = std::string_view(protocols) != "https";
  const long mask = static_cast<long>(CURLPROTO_HTTPS) | (plain ? static_cast<long>(CURLPROTO_HTTP) : 0L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS, mask);
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS, mask);
#endif
}

Multi make_multi(std::size_t connections) {
  init_curl();
  Multi multi(curl_multi_init());
  if (!multi) throw std::bad_alloc();
  // Keep as many connections as can be busy; libcurl's own default may close some of them between two requests.
  curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(std::min<std::size_t>(connections, 10'000)));
  return multi;
}

HeaderList make_header_list(const HttpHeaders& headers) {
  HeaderList list;
  // A semicolon is libcurl's way to send a header without a value.
  for (const auto& [name, value] : headers) append(list, std::string(name).append(value.empty() ? ";" : ": ").append(value));
  append(list, "Expect:");  // no round trip for permission to send a long body
  return list;
}

Authorities Authorities::from_environment() {
  if (const std::string bundle = variable("CURL_CA_BUNDLE"); !bundle.empty()) return {.file = bundle};
  return {.file = variable("SSL_CERT_FILE"), .folder = variable("SSL_CERT_DIR")};
}

Easy make_easy(const HttpOptions& options, const HeaderList& headers, const Authorities& authorities) {
  Easy easy(curl_easy_init());
  if (!easy) throw std::bad_alloc();
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, options.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));  // the key is not for proxies
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, curl_milliseconds(options.connect_timeout));
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);  // the key must not travel to another host
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // Over TLS wait for the first connection to tell whether it can carry the other requests too.
  curl_easy_setopt(handle, CURLOPT_PIPEWAIT, options.url.starts_with("https:") ? 1L : 0L);
  curl_easy_setopt(handle, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);  // answers take minutes, and routers forget silent connections
  curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, compressions);
  allow_protocols(handle, "http,https");
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);  // a cancelled call does not wait for its name lookup
#endif
  set_authorities(handle, authorities);
  return easy;
}

bool can_help_to_retry(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
      return false;
    default:
      return true;
  }
}

long curl_milliseconds(std::chrono::milliseconds duration) {
  return std::max(1L, std::chrono::duration_cast<std::chrono::duration<long, std::milli>>(duration).count());
}

}  // namespace tgd::lm::detail
