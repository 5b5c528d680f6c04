// LineFile: a file that lines are added to. A line is written in one go and is in the hands of the system when add() returns: a
// killed process loses none, a cut-off last line can only come from a full disk or a crash of the system.
// Errors: ValueError with the path and the system's reason. After one the file is left as it is.
// Thread-safety: one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace tgd::detail {

class LineFile {
 public:
  LineFile() = default;
  /// Keeps the first `bytes` of what is there.
  LineFile(std::filesystem::path path, std::uint64_t bytes);
  ~LineFile();
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&& other) noexcept;

  bool is_open() const noexcept { return descriptor_ >= 0; }
  /// `line` without its newline.
  void add(std::string_view line);
  /// Removes all lines.
  void clear();
  std::uint64_t size() const noexcept { return size_; }

 private:
  [[noreturn]] void fail(const char* action) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace tgd::detail
