// Options of a group over the defaults. Private to the library.
#pragma once

#include <tgd/optim/tgd.hpp>

namespace tgd::optim::detail {

/// The defaults with each option that the group has given in its place.
TGDOptions over_defaults(TGDOptions defaults, TGDGroupOptions options);

}  // namespace tgd::optim::detail
