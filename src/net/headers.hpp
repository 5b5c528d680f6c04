// Headers of requests: names and values checked, later ones over earlier ones of the same name.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tgd::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Replaces the header of that name, in whatever case, or adds it. Throws ValueError for what is no header or would forge
/// further ones; the value, which may be a secret, is not shown.
void set_header(Headers& headers, const std::string& name, const std::string& value);

}  // namespace tgd::net
