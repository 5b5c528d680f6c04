#include "lm/openai/endpoint.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <curl/curl.h>
#include <tgd/error.hpp>

#include "core/one_line.hpp"
#include "core/text.hpp"

namespace tgd::lm::detail {

namespace {

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

constexpr std::string_view completions = "/chat/completions";

Url make_url() {
  Url url(curl_url(), curl_url_cleanup);
  if (!url) throw std::bad_alloc();
  return url;
}

std::string get(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owned(text, curl_free);
  return text;
}

/// A URL as it was given, without what may be secret in it.
std::string shown_url(std::string_view url) {
  const std::size_t question = std::min(url.find('?'), url.size());
  const std::size_t at = url.substr(0, question).rfind('@');
  const std::size_t slashes = url.find("://");
  std::string shown(url.substr(0, question));
  if (at != std::string_view::npos) {
    const std::size_t begin = slashes < at ? slashes + 3 : 0;
    shown.replace(begin, at - begin, "***");
  }
  return question < url.size() ? shown + "?***" : shown;
}

/// "http://host:/v1": a variable in the place of the port was empty, and the scheme's own port is hardly meant.
bool has_no_port(std::string_view url) {
  const std::size_t begin = url.find("://");
  if (begin == std::string_view::npos) return false;
  const std::string_view behind = url.substr(begin + 3);
  std::string_view authority = behind.substr(0, std::min(behind.find_first_of("/?#"), behind.size()));
  authority.remove_prefix(authority.rfind('@') == std::string_view::npos ? 0 : authority.rfind('@') + 1);
  return authority.ends_with(':') || authority.starts_with(':') || authority.empty();
}

Url parse(std::string_view base_url) {
  Url url = make_url();
  const std::string text(tgd::detail::trim(base_url));
  // libcurl would guess a scheme and forgive a third slash.
  const bool complete = text.find("://") != std::string::npos && text.find(":///") == std::string::npos;
  const bool readable = complete && curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
  const std::string scheme = readable ? get(url, CURLUPART_SCHEME) : "";
  if ((scheme != "http" && scheme != "https") || get(url, CURLUPART_HOST).empty() || has_no_port(text) ||
      get(url, CURLUPART_PORT) == "0") {
    throw ValueError("base_url is " + tgd::detail::in_quotes(shown_url(base_url)) +
                     ", but must be an http or https URL with a host, and a port where there is a colon behind it, such as "
                     "https://api.openai.com/v1 or http://localhost:8000/v1");
  }
  return url;
}

// v1, v1beta, v4: the path says itself which version of the protocol it serves.
bool names_version(std::string_view path) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    const std::string_view segment = path.substr(slash + 1, 2);
    if (segment.size() == 2 && segment[0] == 'v' && segment[1] >= '0' && segment[1] <= '9') return true;
  }
  return false;
}

bool needs_version(std::string_view path, std::string_view query) {
  return !path.ends_with(completions) && !names_version(path) && query.find("api-version=") == std::string_view::npos;
}

std::string completions_path(std::string path, bool adds_version) {
  if (path.ends_with(completions)) return path;
  if (adds_version) path += "/v1";
  return path.append(completions);
}

/// With "%41" as "A".
std::string unescaped(std::string_view text) {
  int size = 0;
  const std::unique_ptr<char, decltype(&curl_free)> owned(
      curl_easy_unescape(nullptr, std::string(text).c_str(), static_cast<int>(text.size()), &size), curl_free);
  return owned ? std::string(owned.get(), static_cast<std::size_t>(size)) : std::string();
}

Query parts_of(std::string_view query) {
  Query parts;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    const std::size_t equals = std::min(part.find('='), part.size());
    if (!part.empty())
      parts.emplace_back(unescaped(part.substr(0, equals)), unescaped(part.substr(std::min(equals + 1, part.size()))));
    query.remove_prefix(std::min(part.size() + 1, query.size()));
  }
  return parts;
}

}  // namespace

std::string url_without_secrets(std::string_view base_url) {
  const std::size_t slashes = base_url.find("://");
  const std::size_t begin = slashes == std::string_view::npos ? 0 : slashes + 3;
  const std::size_t end = std::min(base_url.find_first_of("/?#", begin), base_url.size());
  const std::size_t at = base_url.substr(0, end).rfind('@');
  const std::size_t host = at == std::string_view::npos || at < begin ? begin : at + 1;
  const std::size_t question = std::min(base_url.find('?', end), base_url.size());
  std::string result(base_url.substr(0, begin));
  result += base_url.substr(host, question - host);
  std::string_view query = base_url.substr(std::min(question + 1, base_url.size()));
  for (char separator = '?'; !query.empty();) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(part.size() + 1, query.size()));
    if (net::may_hold_secret(unescaped(part.substr(0, part.find('='))))) continue;
    result += std::exchange(separator, '&');
    result += part;
  }
  return result;
}

std::string with_query(std::string url, const Query& query) {
  char separator = url.find('?') == std::string::npos ? '?' : '&';
  for (const auto& [name, value] : query) {
    if (name.empty())
      throw ValueError("a part of the query has no name, only a value of " + std::to_string(value.size()) + " bytes");
    url += std::exchange(separator, '&');
    url.append(net::percent_encoded(name)).append(1, '=').append(net::percent_encoded(value));
  }
  return url;
}

Endpoint chat_endpoint(std::string_view base_url, const Query& query) {
  const Url url = parse(base_url);
  const std::string own_query = get(url, CURLUPART_QUERY);
  const std::string whole_query = with_query(own_query.empty() ? "" : "?" + own_query, query);
  std::string given = get(url, CURLUPART_PATH);
  while (given.ends_with('/')) given.pop_back();
  const bool adds_version = needs_version(given, whole_query);
  const std::string path = completions_path(given, adds_version);
  curl_url_set(url.get(), CURLUPART_PATH, path.c_str(), 0);
  if (!whole_query.empty()) curl_url_set(url.get(), CURLUPART_QUERY, whole_query.c_str() + 1, 0);
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  Endpoint endpoint;
  endpoint.added_version = adds_version;
  endpoint.url = get(url, CURLUPART_URL);
  curl_url_set(url.get(), CURLUPART_PATH, (path.substr(0, path.size() - completions.size()) + "/models").c_str(), 0);
  endpoint.models_url = get(url, CURLUPART_URL);
  curl_url_set(url.get(), CURLUPART_PATH, path.c_str(), 0);
  const std::string user = get(url, CURLUPART_USER);
  const std::string password = get(url, CURLUPART_PASSWORD);
  endpoint.has_credentials = !user.empty() || !password.empty();
  endpoint.query = parts_of(whole_query.substr(whole_query.empty() ? 0 : 1));
  endpoint.secrets.add_named(endpoint.query);
  for (const std::string& secret : {unescaped(user), unescaped(password)}) endpoint.secrets.add(secret);
  // As basic authentication sends them.
  if (!user.empty()) endpoint.secrets.add(unescaped(user) + ":" + unescaped(password));
  for (const CURLUPart secret : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY}) {
    curl_url_set(url.get(), secret, nullptr, 0);
  }
  endpoint.display = get(url, CURLUPART_URL);
  return endpoint;
}

}  // namespace tgd::lm::detail
