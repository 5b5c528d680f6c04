#include "core/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "core/descriptor.hpp"

namespace tgd::detail {

namespace {

namespace fs = std::filesystem;

constexpr mode_t owner_mode = 0600;
constexpr mode_t any_mode = 0666;  // less the umask
constexpr mode_t permissions = 0777;

[[noreturn]] void fail(const std::string& action, const fs::path& path, const std::string& reason) {
  throw ValueError("cannot " + action + " " + path.string() + ": " + reason);
}
[[noreturn]] void fail(const std::string& action, const fs::path& path, int error) {
  fail(action, path, std::generic_category().message(error));
}

bool write_whole(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISBLK(mode)) return "a disk";
  return "a device";
}

/// Opened without waiting for whoever is at the other end of a pipe.
Descriptor open_regular(const fs::path& path, struct stat& status) {
  Descriptor file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file.is_open() || ::fstat(file.number(), &status) != 0) fail("read", path, errno);
  if (S_ISDIR(status.st_mode)) fail("read", path, EISDIR);
  if (!S_ISREG(status.st_mode)) fail("read", path, fmt::format("it is {}, expected a file", kind_of(status.st_mode)));
  return file;
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

fs::path temporary_name(const fs::path& path) {
  static thread_local std::random_device random;
  fs::path temporary = path;
  temporary += fmt::format(".{:08x}{:08x}.tmp", random(), random());
  return temporary;
}

/// A file under a temporary name that goes away unless it is renamed.
class TemporaryFile {
 public:
  TemporaryFile(const fs::path& path, mode_t mode) : path_(path), temporary_(temporary_name(path)) {
    // Without a name nothing stays of it when the process is killed. Some file systems cannot do that, and it is named by /proc.
    if (::access("/proc/self/fd", X_OK) == 0) file_ = Descriptor(folder_of(path), O_TMPFILE | O_WRONLY, mode);
    if (file_.is_open()) return;
    file_ = Descriptor(temporary_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    has_name_ = file_.is_open();
    if (!has_name_) fail("write", path, errno);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (has_name_) ::unlink(temporary_.c_str());
  }

  void set_mode(mode_t mode) const { [[maybe_unused]] const int ignored = ::fchmod(file_.number(), mode); }
  void write(std::string_view content) const {
    if (!write_whole(file_.number(), content) || ::fsync(file_.number()) != 0) fail("write", path_, errno);
  }
  void rename() {
    if (!has_name_) name();
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("write", path_, errno);
    has_name_ = false;
  }

 private:
  void name() {
    const std::string open_file = fmt::format("/proc/self/fd/{}", file_.number());
    if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) != 0)
      fail("write", path_, errno);
    has_name_ = true;
  }

  fs::path path_;
  fs::path temporary_;
  Descriptor file_;
  bool has_name_ = false;
};

bool is_same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

bool is_standard_output(const struct stat& status) {
  struct stat open_file {};
  return ::fstat(STDOUT_FILENO, &open_file) == 0 && is_same_file(status, open_file);
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t most) {
  struct stat status {};
  const Descriptor file = open_regular(path, status);
  const auto expect_size = [&](std::uint64_t size) {
    if (size > most) fail("read", path, fmt::format("it has more than {} bytes", most));
  };
  expect_size(static_cast<std::uint64_t>(status.st_size));
  // Files that the system makes up say a size of 0, and others grow.
  std::string content;
  std::size_t size = 0;
  content.resize(static_cast<std::size_t>(status.st_size) + 1);
  while (true) {
    const ssize_t got = ::read(file.number(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    expect_size(size);
    if (size == content.size()) content.resize(size + std::max<std::size_t>(size / 2, 4096));
  }
  content.resize(size);
  return content;
}

void expect_regular_file(const fs::path& path) {
  struct stat status {};
  open_regular(path, status);
}

void write_file(const fs::path& path, std::string_view content, Access access) {
  TemporaryFile file(path, access == Access::owner ? owner_mode : any_mode);
  struct stat before {};
  if (access == Access::shared && ::lstat(path.c_str(), &before) == 0 && S_ISREG(before.st_mode))
    file.set_mode(before.st_mode & permissions);
  file.write(content);
  file.rename();
  // The new name lives in the folder. Some file systems cannot sync one; the content is safe there all the same.
  const Descriptor folder(folder_of(path), O_RDONLY | O_DIRECTORY);
  if (folder.is_open()) ::fsync(folder.number());
}

void make_run_folder(const fs::path& path) {
  std::error_code error;
  const fs::path folder = path.has_filename() ? path : path.parent_path();
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (error) fail("make the run folder", path, error.value());
  if (::mkdir(folder.c_str(), 0700) == 0) return;
  const int reason = errno;
  if (!fs::is_directory(folder, error)) fail("make the run folder", path, reason);
}

Output output_at(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) fail("write", path, errno);
    std::error_code error;
    if (!fs::is_symlink(path, error)) return {.path = path};
    // A link to what is not there yet makes it.
    const fs::path target = fs::weakly_canonical(folder_of(path) / fs::read_symlink(path, error), error);
    if (error) fail("write", path, error.value());
    return {.path = target};
  }
  if (is_standard_output(status)) return {.path = path, .is_there = true, .is_stream = true};
  if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) return {.path = path, .is_there = true, .is_stream = true};
  if (!S_ISREG(status.st_mode)) fail("write", path, fmt::format("it is {}, expected a file", kind_of(status.st_mode)));
  std::error_code error;
  const fs::path target = fs::is_symlink(path, error) ? fs::canonical(path, error) : path;
  if (error) fail("write", path, error.value());
  return {.path = target, .is_there = true};
}

void write_output(const fs::path& path, std::string_view content) {
  const Output output = output_at(path);
  if (output.is_stream) return OutputStream(path).write(content);
  write_file(output.path, content);
}

OutputStream::OutputStream(fs::path path) : path_(std::move(path)), descriptor_(-1) {
  struct stat status {};
  const bool is_own = ::stat(path_.c_str(), &status) == 0 && is_standard_output(status);
  // Of standard output what was written before stays, also where it is a file.
  if (is_own) std::fflush(stdout);
  descriptor_ = is_own ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : Descriptor(path_, O_WRONLY | O_NOCTTY).release();
  if (descriptor_ < 0) fail("write", path_, errno);
}

OutputStream::~OutputStream() { ::close(descriptor_); }

void OutputStream::write(std::string_view content) const {
  if (!write_whole(descriptor_, content)) fail("write", path_, errno);
}

std::string file_name_problem(std::string_view name, std::string_view ending) {
  constexpr std::size_t most = 255 - sizeof ".0123456789abcdef.tmp";  // of a name, on all usual file systems
  if (name.empty()) return "it is empty";
  if (name.front() == '.') return "it begins with a dot";
  const auto bad = std::find_if(name.begin(), name.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return c == '/' || c == '\\' || code < 0x20 || code == 0x7F;
  });
  if (bad != name.end()) return *bad == '/' || *bad == '\\' ? "it holds a slash" : "it holds a control character";
  if (name.size() + ending.size() > most)
    return fmt::format("it has {} bytes, and a file's name {} at the most", name.size(), most - ending.size());
  return {};
}

}  // namespace tgd::detail
