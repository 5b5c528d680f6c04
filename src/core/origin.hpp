// Origin: the process in which an object was made. fork() copies no threads, and what they held locked stays locked in the child: an
// object with a thread of its own can neither be used there nor be taken apart, only be left alone.
// Thread-safety: a value type.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>

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

}  // namespace tgd::detail
