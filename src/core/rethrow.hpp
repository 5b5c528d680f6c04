// Puts words in front of an error without losing its type.
#pragma once

#include <string>

namespace tgd::detail {

/// To be called in a catch block: throws the current exception again with `prefix` in front of its message. Errors of tgd keep
/// their type; anything else becomes a tgd::Error.
[[noreturn]] void rethrow_with_prefix(const std::string& prefix);

}  // namespace tgd::detail
