// Origin: the process in which an object was made. fork() copies no threads, and what they held locked stays locked in the child: an
// object with a thread of its own can neither be used there nor be taken apart, only be left alone.
// Thread-safety: a value type.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include <tgd/error.hpp>

namespace tgd::detail {

class Origin {
 public:
  /// Whether this is still that process.
  bool is_here() const noexcept { return ::getpid() == process_; }

  /// The error of an object that is used elsewhere. `what`: "the model", "the cache".
  static StateError error(const std::string& what) {
    return StateError(what + " was made before fork() and works in the parent process only; make one of its own in the child");
  }

 private:
  pid_t process_ = ::getpid();
};

/// For what must not be taken apart in the child of a fork(): keeps it until the process ends. Takes no lock, which might be held for
/// ever there.
inline void keep_for_ever(std::shared_ptr<void> thing) {
  struct Kept {
    std::shared_ptr<void> thing;
    Kept* next;
  };
  static std::atomic<Kept*> first = nullptr;  // so that it can still be reached, and is no leak
  auto* kept = new Kept{std::move(thing), first.load()};
  while (!first.compare_exchange_weak(kept->next, kept)) {
  }
}

}  // namespace tgd::detail
