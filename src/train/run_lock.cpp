#include "train/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/file.hpp"
#include "core/json_parser.hpp"

namespace tgd::detail {

namespace {

std::string this_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

struct Holder {
  long process = 0;
  std::string host = {};
  std::string since = {};

  std::string text() const { return fmt::format("process {} on {}, since {}", process, host, since); }
};

/// What sign() wrote. Whoever has just got the lock may not have written yet.
std::optional<Holder> holder_of(int descriptor) {
  std::array<char, 1024> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  const auto json =
      tgd::detail::parse_or_discard<nlohmann::json>({text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))});
  try {
    return Holder{json.at("process").get<long>(), json.at("host").get<std::string>(), json.at("since").get<std::string>()};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<std::string> run_lock_holder(const std::filesystem::path& folder) {
  const int descriptor = ::open((folder / "run.lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return std::nullopt;
  const std::optional<Holder> holder = holder_of(descriptor);
  ::close(descriptor);
  // Processes that were killed leave the file. Whether one of another machine lives cannot be told from here.
  if (!holder || holder->process <= 0 || holder->host != this_host()) return std::nullopt;
  const bool is_alive = ::kill(static_cast<pid_t>(holder->process), 0) == 0 || errno == EPERM;
  return is_alive ? std::optional(holder->text()) : std::nullopt;
}

RunLock::RunLock(std::filesystem::path folder) : folder_(std::move(folder)) {
  make_run_folder(folder_);
  for (bool is_held = false; !is_held;) {
    descriptor_ = ::open(file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (descriptor_ < 0)
      throw ValueError(
          fmt::format("cannot lock the run folder {}: {}", folder_.string(), std::generic_category().message(errno)));
    try {
      if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) refuse(errno);
      is_held = is_in_place();  // its holder may have taken it away in between
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
    if (!is_held) ::close(descriptor_);
  }
  sign();
}

RunLock::~RunLock() {
  ::unlink(file().c_str());
  ::close(descriptor_);
}

std::filesystem::path RunLock::file() const { return folder_ / "run.lock"; }

bool RunLock::is_in_place() const {
  struct stat here {};
  struct stat there {};
  return ::fstat(descriptor_, &here) == 0 && ::lstat(file().c_str(), &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

void RunLock::refuse(int error) const {
  if (error != EWOULDBLOCK)
    throw ValueError(
        fmt::format("cannot lock the run folder {}: {}", folder_.string(), std::generic_category().message(error)));
  const std::optional<Holder> holder = holder_of(descriptor_);
  throw StateError(fmt::format("the run folder {} is in use by {}: wait until it has ended, or name another folder",
                               folder_.string(), holder ? holder->text() : "another process"));
}

void RunLock::sign() const {
  const nlohmann::ordered_json json{{"process", ::getpid()},
                                    {"host", this_host()},
                                    {"since", fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr)))}};
  const std::string text = json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  // Only for the sentence that another process says: what cannot be written is left out of it.
  [[maybe_unused]] const bool ignored =
      ::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, text.data(), text.size(), 0) > 0;
}

}  // namespace tgd::detail
