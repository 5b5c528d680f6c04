#include "cli/input_pump.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <tgd/error.hpp>

#include "core/start_thread.hpp"

namespace tgd::cli {

namespace {

[[noreturn]] void fail(const std::string& name, int error) {
  throw ValueError(fmt::format("cannot read \"{}\": {}", name, std::generic_category().message(error)));
}

/// Does not wait for somebody who writes to a pipe. Standard input may be what cannot be opened once more.
int open_input(const std::filesystem::path& input) {
  const int opened = input == "/dev/stdin" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                           : ::open(input.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (opened < 0) fail(input.string(), errno);
  return opened;
}

}  // namespace

InputPump::InputPump(const std::filesystem::path& input, const std::stop_token& stop)
    : name_(input.string()), input_(open_input(input)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  int ends[2] = {-1, -1};
  if (wake_ < 0 || ::pipe2(ends, O_CLOEXEC) != 0) fail(name_, errno);
  read_end_ = ends[0];
  write_end_ = ends[1];
  thread_ = tgd::detail::start_thread("reading the input", [this] {
    pump();
    ::close(write_end_);
  });
  on_stop_.emplace(stop, [this] { wake(); });
}

InputPump::~InputPump() {
  on_stop_.reset();
  wake();
  thread_.join();
  for (const int descriptor : {input_, read_end_, wake_}) ::close(descriptor);
}

void InputPump::expect_read() const {
  if (error_ != 0) fail(name_, error_);
}

std::filesystem::path InputPump::path() const { return fmt::format("/dev/fd/{}", read_end_); }

void InputPump::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(wake_, &one, sizeof one);
}

/// False: nothing is wanted any more.
bool InputPump::wait(int descriptor, short events) const {
  std::array<pollfd, 2> both{pollfd{descriptor, events, 0}, pollfd{wake_, POLLIN, 0}};
  while (::poll(both.data(), both.size(), -1) < 0) {
    if (errno != EINTR) return false;
  }
  return both[1].revents == 0;
}

void InputPump::pump() {
  std::array<char, 4096> buffer{};  // no more than a pipe takes at once when it has room
  while (wait(input_, POLLIN)) {
    const ssize_t got = ::read(input_, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) error_ = errno;
    if (got <= 0) return;
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    while (!bytes.empty()) {
      if (!wait(write_end_, POLLOUT)) return;
      const ssize_t written = ::write(write_end_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) return;
      if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
}

}  // namespace tgd::cli
