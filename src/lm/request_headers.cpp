#include "lm/request_headers.hpp"

#include <algorithm>
#include <array>

#include <tgd/error.hpp>

#include "core/text.hpp"

namespace tgd::lm::detail {

using tgd::detail::lower_case;

namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void check_header(const std::string& name, const std::string& value) {
  const auto ends_name = [](char c) { return is_control(c) || c == ':' || c == ' '; };
  if (name.empty() || std::any_of(name.begin(), name.end(), ends_name)) {
    throw ValueError("\"" + name + "\" is not the name of an HTTP header");
  }
  if (std::any_of(value.begin(), value.end(), is_control)) {
    throw ValueError("the value of the header " + name + " contains a line break or another control character; remove it");
  }
}

bool may_hold_secret(const std::string& name) {
  constexpr std::array words = {"auth", "key", "token", "secret", "cookie", "code", "sig"};
  return std::any_of(words.begin(), words.end(),
                     [lowered = lower_case(name)](const char* word) { return lowered.find(word) != std::string::npos; });
}

}  // namespace

void set_header(Headers& headers, const std::string& name, const std::string& value) {
  check_header(name, value);
  const auto same = [&](const auto& header) { return lower_case(header.first) == lower_case(name); };
  headers.erase(std::remove_if(headers.begin(), headers.end(), same), headers.end());
  headers.emplace_back(name, value);
}

std::vector<std::string> secrets_of(const Headers& named_values) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : named_values) {
    if (!may_hold_secret(name)) continue;
    add_secret(secrets, value);
    add_secret(secrets, value.substr(value.rfind(' ') + 1));  // of "Bearer <secret>"
  }
  return secrets;
}

Headers without_secrets(const Headers& named_values) {
  Headers shown;
  for (const auto& [name, value] : named_values) {
    if (!may_hold_secret(name)) shown.emplace_back(lower_case(name), value);
  }
  return shown;
}

void add_secret(std::vector<std::string>& secrets, const std::string& value) {
  if (value.size() >= 8) secrets.push_back(value);
}

std::string without(const std::vector<std::string>& secrets, std::string text) {
  for (const std::string& secret : secrets) {
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

}  // namespace tgd::lm::detail
