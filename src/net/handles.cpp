#include "net/handles.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string_view>

namespace tgd::net {

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

namespace {

bool has_words(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

Prospect prospect_of(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_LOGIN_DENIED:
      return Prospect::none;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
    case CURLE_WEIRD_SERVER_REPLY:
      return Prospect::some;
    default:
      return Prospect::good;
  }
}

bool is_about_certificates(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM ||
         code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS;
}

/// Where a failure may have to do with the proxy: it was not reached, or did not let the request through.
bool is_about_proxy(CURLcode code, std::string_view error, std::string_view proxy, long connect_status) {
  if (proxy.empty()) return false;
  if (connect_status != 0 || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY || has_words(error, "proxy"))
    return true;
  const std::size_t colon = proxy.rfind(':');
  const std::string port =
      " port " + std::string(proxy.substr(colon + 1, proxy.find_first_of("/", colon + 1) - colon - 1)) + " ";
  return code == CURLE_COULDNT_CONNECT && port.size() > 7 && has_words(error, port);
}

/// Bytes of TLS where HTTP was expected, or the other way round.
std::string advice_on_port(CURLcode code, std::string_view error, std::string_view url) {
  const bool speaks_plain =
      code == CURLE_SSL_CONNECT_ERROR &&
      (has_words(error, "wrong version number") || has_words(error, "packet length too long") ||
       has_words(error, "http request") || has_words(error, "unknown protocol") || has_words(error, "record layer failure"));
  if (code == CURLE_OPERATION_TIMEDOUT && has_words(error, "SSL connection timeout"))
    return "this port may not speak TLS; a server that does not gets http:// in base_url";
  if (speaks_plain) return "this port does not speak TLS; write http:// in base_url, or the port that speaks https";
  const bool is_plain = url.starts_with("http://");
  if (is_plain && (has_words(error, "HTTP/0.9") || code == CURLE_WEIRD_SERVER_REPLY))
    return "what came is no HTTP; for a port that speaks TLS write https:// in base_url, or name another port";
  return {};
}

}  // namespace

std::string proxy_for(std::string_view url) {
  const bool is_secure = url.starts_with("https:");
  for (const char* name : is_secure ? std::initializer_list<const char*>{"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}
                                    : std::initializer_list<const char*>{"http_proxy", "all_proxy", "ALL_PROXY"}) {
    std::string value = variable(name);
    if (value.empty()) continue;
    const std::size_t at = value.rfind('@');
    const std::size_t slashes = value.find("://");
    if (at != std::string::npos) value.erase(slashes < at ? slashes + 3 : 0, at + 1 - (slashes < at ? slashes + 3 : 0));
    return std::string(name) + "=" + value;
  }
  return {};
}

Failure failure_of(CURL* handle, CURLcode code, std::string_view error, std::string_view url) {
  Failure failure{.message = error.empty() ? std::string(curl_easy_strerror(code)) : std::string(error),
                  .prospect = prospect_of(code)};
  long connect_status = 0;
  curl_easy_getinfo(handle, CURLINFO_HTTP_CONNECTCODE, &connect_status);
  if (connect_status >= 200 && connect_status < 300) connect_status = 0;
  const std::string proxy = proxy_for(url);
  if (connect_status != 0) failure.prospect = connect_status >= 500 ? Prospect::some : Prospect::none;
  if (is_about_proxy(code, failure.message, proxy, connect_status)) {
    failure.message += "; the way led through the proxy of the environment (" + proxy +
                       "); no_proxy names the hosts that are reached without it";
  } else if (const std::string advice = advice_on_port(code, failure.message, url); !advice.empty()) {
    failure.message += "; " + advice;
    const bool may_pass = code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_OPERATION_TIMEDOUT;
    failure.prospect = may_pass ? Prospect::some : Prospect::none;
  } else if (is_about_certificates(code)) {
    failure.message +=
        "; the certificate is not trusted: name the file of its authority in CURL_CA_BUNDLE or SSL_CERT_FILE, or the host that "
        "it was made for in base_url";
  }
  failure.was_not_taken = (code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM) && has_words(failure.message, "REFUSED_STREAM");
  return failure;
}

long curl_milliseconds(std::chrono::milliseconds duration) {
  return std::max(1L, std::chrono::duration_cast<std::chrono::duration<long, std::milli>>(duration).count());
}

}  // namespace tgd::net
