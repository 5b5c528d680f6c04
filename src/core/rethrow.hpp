// Puts words in front of an error without losing its type.
#pragma once

#include <string>

#include <tgd/export.hpp>

namespace tgd::detail {

/// To be called in a catch block: throws the current exception again with `prefix` in front of its message. Errors of tgd keep
/// their type; anything else becomes a tgd::Error.
[[noreturn]] TGD_API void rethrow_with_prefix(const std::string& prefix);

}  // namespace tgd::detail
