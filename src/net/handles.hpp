// libcurl's handles as owners, and what is set on each of them once.
#pragma once

#include <memory>
#include <string>

#include <curl/curl.h>

#include "net/http.hpp"

namespace tgd::net {

template <class T, auto release>
struct Release {
  void operator()(T* handle) const { release(handle); }
};
using Easy = std::unique_ptr<CURL, Release<CURL, curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, Release<CURLM, curl_multi_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, Release<curl_slist, curl_slist_free_all>>;

/// Initializes libcurl, once. Throws std::runtime_error when that fails.
void init_curl();

/// A multi handle that keeps up to `connections` alive. Initializes libcurl. Throws std::runtime_error when that fails.
Multi make_multi(std::size_t connections);

/// Headers as libcurl takes them.
HeaderList make_header_list(const HttpHeaders& headers);

/// Where the certificates of authorities are, as curl's users say it in the environment: CURL_CA_BUNDLE, else SSL_CERT_DIR and
/// SSL_CERT_FILE. Empty: libcurl's own place.
struct Authorities {
  std::string file = {};
  std::string folder = {};

  static Authorities from_environment();
};

/// How answers may be compressed: in every way that this libcurl can unpack.
constexpr const char* compressions = "";

void set_authorities(CURL* handle, const Authorities& authorities);
/// "https" or "http,https": what may be asked for, and what a redirection may lead to.
void allow_protocols(CURL* handle, const char* protocols);

/// A handle with everything that is the same for all requests. `headers` has to live as long.
Easy make_easy(const HttpOptions& options, const HeaderList& headers, const Authorities& authorities);

/// Why a transfer brought no answer.
struct Failure {
  std::string message = {};  ///< libcurl's words, and what to look at: the proxy, the certificate, the port
  Prospect prospect = Prospect::none;
  bool was_not_taken = false;  ///< the server says that it has not even looked at the request
};
/// `error`: what libcurl wrote into its buffer; may be empty.
Failure failure_of(CURL* handle, CURLcode code, std::string_view error, std::string_view url);

/// The proxy that the environment names for a URL, without user and password, behind the variable's name; empty where there is none.
std::string proxy_for(std::string_view url);

/// As libcurl wants it, at least 1 because 0 stands for "no limit".
long curl_milliseconds(std::chrono::milliseconds duration);

}  // namespace tgd::net
