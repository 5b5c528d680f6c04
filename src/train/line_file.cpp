#include "train/line_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include <tgd/error.hpp>

namespace tgd::detail {

LineFile::LineFile(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail("open");
  const off_t there = ::lseek(descriptor_, 0, SEEK_END);
  if (there < 0) fail("read the size of");
  size_ = std::min(static_cast<std::uint64_t>(there), bytes);
  if (::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) fail("cut");
}

LineFile::~LineFile() {
  if (is_open()) ::close(descriptor_);
}

LineFile::LineFile(LineFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

LineFile& LineFile::operator=(LineFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

void LineFile::add(std::string_view line) {
  std::string text(line);
  text += '\n';
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(descriptor_, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      if (done > 0 && ::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) errno = 0;  // a reader passes over half a line
      errno = error;
      fail("write");
    }
    done += static_cast<std::size_t>(written);
  }
  size_ += text.size();
}

void LineFile::clear() {
  if (::ftruncate(descriptor_, 0) != 0) fail("cut");
  size_ = 0;
}

void LineFile::fail(const char* action) const {
  throw ValueError(fmt::format("cannot {} {}: {}", action, path_.string(), std::generic_category().message(errno)));
}

}  // namespace tgd::detail
