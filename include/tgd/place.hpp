// Place: where in the program an operation was called.
#pragma once

#include <string>

#include <tgd/export.hpp>

namespace tgd {

/// Where in the program an operation was called. Operations take theirs as a last argument that nobody has to write.
/// Thread-safety: a value type.
struct TGD_API Place {
  const char* file = nullptr;  ///< null: unknown
  int line = 0;

  /// As a default argument: the place of the call.
  static constexpr Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) noexcept { return {file, line}; }
  /// "agent.cpp:41", without the folders; "an unknown place" without a file.
  std::string text() const;
};

}  // namespace tgd
