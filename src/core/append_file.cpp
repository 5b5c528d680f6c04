#include "core/append_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <tgd/error.hpp>

namespace tgd::detail {

namespace {

constexpr off_t window = 65536;

off_t size_of(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 ? status.st_size : 0;
}

std::string read_at(int descriptor, off_t begin, off_t size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t count = ::pread(descriptor, bytes.data() + got, bytes.size() - got, begin + static_cast<off_t>(got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    got += static_cast<std::size_t>(count);
  }
  bytes.resize(got);
  return bytes;
}

/// Where the last whole record ends; 0 when there is none.
off_t end_of_records(int descriptor, const std::string& end) {
  const off_t size = size_of(descriptor);
  const auto length = static_cast<off_t>(end.size());
  if (size >= length && read_at(descriptor, size - length, length) == end) return size;
  for (off_t stop = size; stop > 0;) {
    const off_t start = std::max<off_t>(0, stop - window);
    const std::size_t at = read_at(descriptor, start, stop - start).rfind(end);
    if (at != std::string::npos) return start + static_cast<off_t>(at + end.size());
    if (start == 0) return 0;
    stop = start + length - 1;  // the end of a record may lie across two windows
  }
  return 0;
}

/// Whether the path leads to another file than the open one.
bool is_another(const std::filesystem::path& path, int descriptor) {
  struct stat here {};
  struct stat there {};
  return ::stat(path.c_str(), &there) != 0 || ::fstat(descriptor, &here) != 0 || here.st_ino != there.st_ino ||
         here.st_dev != there.st_dev;
}

/// Waits. Returns false, with errno, for what cannot be locked.
bool lock_whole(int descriptor) {
  while (::flock(descriptor, LOCK_EX) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

[[noreturn]] void fail_at(const std::filesystem::path& path, const char* action, int error) {
  throw ValueError(std::string("cannot ") + action + " " + path.string() + ": " + std::generic_category().message(error));
}

/// How much was written.
std::size_t write_all(int descriptor, std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(descriptor, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  return written;
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path, RecordFormat format, Access access)
    : path_(std::move(path)), format_(std::move(format)), access_(access) {
  open();
  try {
    const Lock lock(*this);
    check_begin();
    repair();
  } catch (...) {
    close();
    throw;
  }
}

AppendFile::~AppendFile() { close(); }

void AppendFile::open() {
  const bool is_private = access_ == Access::owner;
  const int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (is_private ? O_NOFOLLOW : 0);
  descriptor_ = ::open(path_.c_str(), flags, is_private ? 0600 : 0666);
  if (descriptor_ < 0 && errno == ELOOP && is_private)
    throw ValueError("cannot open " + path_.string() + ": it is a symbolic link, and these are not followed here; remove it");
  if (descriptor_ < 0) fail("open", errno);
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0 && !S_ISFIFO(status.st_mode)) return;
  close();
  throw ValueError("cannot add anything to " + path_.string() + ": it is a pipe, expected a file");
}

void AppendFile::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void AppendFile::append(std::string_view records) {
  const Lock lock(*this);
  repair();
  const off_t before = size_of(descriptor_);
  const std::string begun = before == 0 ? format_.header + std::string(records) : std::string();
  const std::string_view added = begun.empty() ? records : begun;
  if (write_all(descriptor_, added) == added.size()) return;
  const int error = errno;
  // What cannot be shortened here is repaired by the next one who writes.
  [[maybe_unused]] const int ignored = ::ftruncate(descriptor_, before);
  fail("write", error);
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail("sync", errno);
}

void AppendFile::cut(std::uint64_t bytes) {
  const Lock lock(*this);
  const auto size = static_cast<off_t>(bytes);
  if (size < size_of(descriptor_) && ::ftruncate(descriptor_, size) != 0) fail("cut", errno);
}

void AppendFile::check_begin() {
  const off_t size = std::min(size_of(descriptor_), static_cast<off_t>(format_.begin.size()));
  if (format_.begin.starts_with(read_at(descriptor_, 0, size))) return;
  throw ValueError(path_.string() + " holds something else (it should begin with " + format_.begin +
                   "), so nothing is added to it; give another path");
}

void AppendFile::repair() {
  const off_t end = end_of_records(descriptor_, format_.end);
  if (end < size_of(descriptor_) && ::ftruncate(descriptor_, end) != 0) fail("remove a cut-off record from", errno);
}

void AppendFile::fail(const char* action, int error) const { fail_at(path_, action, error); }

// Whoever held the lock before may have put a new file in the place of the one that is open here.
AppendFile::Lock::Lock(AppendFile& file) : descriptor_(-1) {
  while (true) {
    if (!lock_whole(file.descriptor_)) file.fail("lock", errno);
    if (!is_another(file.path_, file.descriptor_)) break;
    file.close();
    file.open();
  }
  descriptor_ = file.descriptor_;
}

AppendFile::Lock::~Lock() { ::flock(descriptor_, LOCK_UN); }

FileLock::FileLock(const std::filesystem::path& path) {
  while (true) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor_ < 0 && errno == ENOENT) return;
    if (descriptor_ < 0) fail_at(path, "open", errno);
    if (!lock_whole(descriptor_)) {
      const int error = errno;
      ::close(descriptor_);
      fail_at(path, "lock", error);
    }
    if (!is_another(path, descriptor_)) return;
    ::close(std::exchange(descriptor_, -1));
  }
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace tgd::detail
