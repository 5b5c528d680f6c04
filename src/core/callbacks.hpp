// How users' callbacks are called from threads of tgd: without any lock, since they may ask the very object that calls them, and so
// that one that throws, although it must not, leaves no other call open. What it throws has nobody to go to.
#pragma once

#include <string>
#include <utility>

#include <tgd/notice.hpp>

namespace tgd::detail {

template <class Callback, class... Arguments>
void call_back(const Callback& callback, Arguments&&... arguments) noexcept {
  try {
    if (callback) callback(std::forward<Arguments>(arguments)...);
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

/// A fault of a file, said by a cache, a cassette or a ledger.
inline void tell(const OnNotice& on_notice, const char* operation, const std::string& text) noexcept {
  call_back(on_notice, Notice{.kind = Notice::Kind::storage, .operation = operation, .role = {}, .item = {}, .text = text});
}

}  // namespace tgd::detail
