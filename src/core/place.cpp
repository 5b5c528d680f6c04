#include <tgd/place.hpp>

#include <string_view>

#include <fmt/format.h>

namespace tgd {

std::string Place::text() const {
  if (file == nullptr) return "an unknown place";
  const std::string_view path = file;
  return fmt::format("{}:{}", path.substr(path.find_last_of("/\\") + 1), line);
}

}  // namespace tgd
