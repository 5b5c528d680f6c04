#include "support/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "core/file.hpp"

namespace tgd::test {

namespace {

void check(int error, const char* action) {
  if (error != 0) throw std::system_error(error, std::generic_category(), action);
}

class FileActions {
 public:
  FileActions() { check(posix_spawn_file_actions_init(&actions_), "posix_spawn_file_actions_init"); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void open(int descriptor, const std::filesystem::path& file, int flags) {
    check(posix_spawn_file_actions_addopen(&actions_, descriptor, file.c_str(), flags, 0600), "redirecting to a file");
  }
  void close(int descriptor) { check(posix_spawn_file_actions_addclose(&actions_, descriptor), "closing a descriptor"); }
  void change_folder(const std::filesystem::path& folder) {
    check(posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str()), "changing the folder");
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.starts_with("OPENAI_") || added.contains(std::string(text.substr(0, text.find('='))))) continue;
    environment.emplace_back(text);
  }
  for (const auto& [name, value] : added) environment.push_back(name + "=" + value);
  return environment;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

// posix_spawn() and no fork(): a signal that comes before the program runs would be handled by the test's own handlers.
Process::Process(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  FileActions actions;
  output_.write("out", "");
  actions.open(STDIN_FILENO, options.in, O_RDWR);  // a pipe that nobody writes to is opened, too
  actions.open(STDOUT_FILENO, options.out.empty() ? output_.path() / "out" : options.out, O_WRONLY | O_CREAT);
  actions.open(STDERR_FILENO, output_.path() / "err", O_WRONLY | O_CREAT);
  for (const int descriptor : options.closed) actions.close(descriptor);
  actions.change_folder(options.folder);

  std::vector<std::string> texts = arguments;
  std::vector<std::string> variables = environment_with(options.environment);
  check(
      posix_spawn(&id_, texts.at(0).c_str(), actions.get(), nullptr, pointers_to(texts).data(), pointers_to(variables).data()),
      texts[0].c_str());
}

Process::~Process() {
  if (id_ <= 0) return;
  signal(SIGKILL);
  while (waitpid(id_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Process::signal(int number) const { ::kill(id_, number); }

bool Process::has_ended() const {
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG | WNOWAIT);
  return info.si_pid != 0;
}

ProcessResult Process::wait() {
  int status = 0;
  while (waitpid(id_, &status, 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  id_ = -1;
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = tgd::detail::read_file(output_.path() / "out"),
          .err = tgd::detail::read_file(output_.path() / "err")};
}

ProcessResult run_process(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  return Process(arguments, options).wait();
}

}  // namespace tgd::test
