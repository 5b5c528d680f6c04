// AppendFile: a file of records to which several processes add whole records.
//
// A record that was cut off by a crash is removed when the next one is added. A record that did not fit on the disk is removed
// at once. What was added survives the end of the process by any signal; sync() makes it survive a power failure.
// Errors: ValueError with the path and the system's reason; also for a pipe.
// Thread-safety: none; several objects and processes may write to one file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/file.hpp"

namespace tgd::detail {

struct RecordFormat {
  std::string begin = {};   ///< how the file begins; what does not is somebody else's file and is refused
  std::string end = {};     ///< how each record ends, and no part of one does
  std::string header = {};  ///< stands before the first record, and is written with it
};

class AppendFile {
 public:
  /// Makes the file if there is none, and removes a record that was cut off.
  AppendFile(std::filesystem::path path, RecordFormat format, Access access = Access::shared);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  /// Adds records, all or nothing.
  void append(std::string_view records);
  void sync();
  /// Keeps the first `bytes` of a file that has more.
  void cut(std::uint64_t bytes);
  const std::filesystem::path& path() const noexcept { return path_; }

  /// Holds the file for this object alone; whoever appends waits.
  class Lock {
   public:
    explicit Lock(AppendFile& file);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    int descriptor_;
  };

 private:
  void open();
  void close();
  void check_begin();
  void repair();
  [[noreturn]] void fail(const char* action, int error) const;

  std::filesystem::path path_;
  RecordFormat format_;
  Access access_;
  int descriptor_ = -1;
};

/// Holds a file that somebody else may add to, for who puts another one in its place: as an AppendFile::Lock does, but nothing in it is
/// changed. Where there is no file there is nothing to hold.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  int descriptor_ = -1;
};

}  // namespace tgd::detail
