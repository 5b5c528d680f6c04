// Where a base URL leads: the full URL of the chat completions endpoint.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/secrets.hpp"

namespace tgd::lm::detail {

/// Names and values, not escaped.
using Query = std::vector<std::pair<std::string, std::string>>;

struct Endpoint {
  std::string url;               ///< what requests are posted to
  std::string display;           ///< the same for messages: without user, password and query, which may hold secrets
  Query query = {};              ///< all of it, not escaped
  net::Secrets secrets = {};     ///< user, password, and what of the query goes by a secret's name
  bool added_version = false;    ///< /v1 was put into the path
  bool has_credentials = false;  ///< a user's name or password
  std::string models_url = {};   ///< where the endpoint lists its models
};

/// "https://host", "https://host/v1" and "https://host/prefix/v1/" get /chat/completions (and /v1 where no part of the path
/// names a version and the query no api-version); a URL that ends with /chat/completions is taken as it is. A query is kept.
/// `query` is added to it. Throws ValueError for anything that is no http or https URL; it is shown
/// without user, password and query.
Endpoint chat_endpoint(std::string_view base_url, const Query& query = {});

/// The URL, character for character, without user, password and what of its query goes by a secret's name: for files.
std::string url_without_secrets(std::string_view base_url);

/// A URL with further parts of its query. Throws ValueError for one without a name.
std::string with_query(std::string url, const Query& query);

}  // namespace tgd::lm::detail
