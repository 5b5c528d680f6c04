#include <tgd/version.hpp>

namespace tgd {

std::string_view version() noexcept { return TGD_VERSION; }

}  // namespace tgd
