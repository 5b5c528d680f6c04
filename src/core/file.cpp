#include "core/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>

#include <tgd/error.hpp>

namespace tgd::detail {

namespace {

[[noreturn]] void fail(const std::string& action, const std::filesystem::path& path, int error) {
  throw ValueError("cannot " + action + " " + path.string() + ": " + std::generic_category().message(error));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool is_open() const { return number_ >= 0; }
  bool write(std::string_view content) const {
    while (!content.empty()) {
      const ssize_t written = ::write(number_, content.data(), content.size());
      if (written < 0 && errno != EINTR) return false;
      if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }
  bool sync() const { return ::fsync(number_) == 0; }

 private:
  int number_;
};

void write_through(const std::filesystem::path& temporary, int flags, const std::filesystem::path& path,
                   std::string_view content) {
  {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | flags);
    if (!file.is_open() || !file.write(content) || !file.sync()) fail("write", temporary, errno);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail("write", path, errno);
  // The new name lives in the folder. Some file systems cannot sync one; the content is safe there all the same.
  const Descriptor folder(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."), O_RDONLY | O_DIRECTORY);
  if (folder.is_open()) folder.sync();
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) fail("read", path, file ? EISDIR : errno);
  std::string content(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) fail("read", path, errno);
  return content;
}

void cut_file(const std::filesystem::path& path, std::uint64_t bytes) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) || std::filesystem::file_size(path, error) <= bytes) return;
  std::filesystem::resize_file(path, bytes, error);
  if (error) fail("cut", path, error.value());
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  write_through(temporary, O_TRUNC, path, content);
}

void write_shared_file(const std::filesystem::path& path, std::string_view content) {
  std::random_device random;
  std::filesystem::path temporary = path;
  temporary += "." + std::to_string(random()) + std::to_string(random()) + ".tmp";
  try {
    write_through(temporary, O_EXCL, path, content);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace tgd::detail
