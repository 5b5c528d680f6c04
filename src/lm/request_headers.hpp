// Headers of requests: names and values checked, later ones over earlier ones of the same name; and which of them are secret.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tgd::lm::detail {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Replaces the header of that name, in whatever case, or adds it. Throws ValueError for what is no header or would forge
/// further ones; the value, which may be a secret, is not shown.
void set_header(Headers& headers, const std::string& name, const std::string& value);

/// Values that must not appear in a message, as the names of what they belong to suggest. Works for headers and queries.
std::vector<std::string> secrets_of(const Headers& named_values);

/// The others, with their names in lower case.
Headers without_secrets(const Headers& named_values);

/// Adds one value to the secrets. What is too short to be a secret is left out: it stands for "no key", and hiding it would garble
/// messages.
void add_secret(std::vector<std::string>& secrets, const std::string& value);

std::string without(const std::vector<std::string>& secrets, std::string text);

}  // namespace tgd::lm::detail
