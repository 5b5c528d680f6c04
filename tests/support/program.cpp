#include "support/program.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

namespace tgd::test {

namespace {

void check(bool good, const char* action) {
  if (!good) throw std::system_error(errno, std::generic_category(), action);
}

std::pair<int, int> make_pipe() {
  int ends[2] = {-1, -1};
  check(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
  return {ends[0], ends[1]};
}

bool connects(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = ::connect(fd, static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address) == 0;
  ::close(fd);
  return connected;
}

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path != nullptr ? path : "") + ":/usr/local/sbin:/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = folder + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

RunningProgram::RunningProgram(std::vector<std::string> arguments) {
  const auto [input_end, input] = make_pipe();
  const auto [output, output_end] = make_pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input_end, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output_end, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  errno = ::posix_spawn(&process_, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(input_end);
  ::close(output_end);
  input_ = input;
  output_ = output;
  check(errno == 0 && process_ > 0, "posix_spawn");
}

RunningProgram::~RunningProgram() {
  end();
  ::close(input_);
  ::close(output_);
}

void RunningProgram::end() {
  if (process_ <= 0) return;
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

bool RunningProgram::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(input_, bytes.data(), bytes.size());
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool RunningProgram::read(std::string& into) const {
  char buffer[4096];
  const ssize_t got = ::read(output_, buffer, sizeof buffer);
  if (got <= 0) return false;
  into.append(buffer, static_cast<std::size_t>(got));
  return true;
}

bool wait_for_port(int port) {
  for (int i = 0; i < 1000; ++i) {
    if (connects(port)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace tgd::test
