#include "net/headers.hpp"

#include <algorithm>

#include <tgd/error.hpp>

#include "core/one_line.hpp"
#include "core/text.hpp"

namespace tgd::net {

using tgd::detail::lower_case;

namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void check_header(const std::string& name, const std::string& value) {
  const auto ends_name = [](char c) { return is_control(c) || c == ':' || c == ' '; };
  if (name.empty() || std::any_of(name.begin(), name.end(), ends_name)) {
    // Who puts the value behind the name has put a key there.
    const std::string_view shown = std::string_view(name).substr(0, name.find_first_of(": "));
    throw ValueError(tgd::detail::in_quotes(shown) + (shown.size() < name.size() ? " and what stands behind it" : "") +
                     " is not the name of an HTTP header");
  }
  if (std::any_of(value.begin(), value.end(), is_control)) {
    throw ValueError("the value of the header " + name + " contains a line break or another control character; remove it");
  }
}

}  // namespace

void set_header(Headers& headers, const std::string& name, const std::string& value) {
  check_header(name, value);
  const auto same = [&](const auto& header) { return lower_case(header.first) == lower_case(name); };
  headers.erase(std::remove_if(headers.begin(), headers.end(), same), headers.end());
  headers.emplace_back(name, value);
}

}  // namespace tgd::net
