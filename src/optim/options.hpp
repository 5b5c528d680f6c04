// Options of a group over the defaults. Private to the library.
#pragma once

#include <array>
#include <utility>

#include <tgd/optim/tgd.hpp>

namespace tgd::optim::detail {

inline constexpr std::array boldness_names = {std::pair{Boldness::conservative, "conservative"},
                                              std::pair{Boldness::moderate, "moderate"}, std::pair{Boldness::bold, "bold"}};

/// The defaults with each option that the group has given in its place.
TGDOptions over_defaults(TGDOptions defaults, TGDGroupOptions options);

}  // namespace tgd::optim::detail
