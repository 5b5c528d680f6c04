// RunLock: a run folder is one Trainer's at a time. A file in it, `run.lock`, is locked as long as the object lives; the system
// takes the lock away when the process dies, however it does. The file says who has the lock, and goes away with it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace tgd::detail {

class RunLock {
 public:
  /// Makes the folder where there is none. Throws StateError, which names the holder, when it is another's; ValueError when it
  /// cannot be made or locked.
  explicit RunLock(std::filesystem::path folder);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

  const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  std::filesystem::path file() const;
  bool is_in_place() const;
  [[noreturn]] void refuse(int error) const;
  void sign() const;

  std::filesystem::path folder_;
  int descriptor_ = -1;
};

/// "process 17 on host, since …" for a folder in which a process of this machine is at work; takes no lock, so that nobody is
/// refused one meanwhile.
std::optional<std::string> run_lock_holder(const std::filesystem::path& folder);

}  // namespace tgd::detail
