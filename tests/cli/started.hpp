// The program beside the test, to be sent signals.
#pragma once

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tgd::test {

class Started {
 public:
  /// What it prints on its standard output is dropped.
  explicit Started(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), TGD_PROGRAM);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    child_ = ::fork();
    if (child_ != 0) return;
    // Other threads of the test may hold any lock: only system calls from here on.
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::execv(TGD_PROGRAM, argv.data());
    ::_exit(127);
  }
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  ~Started() {
    if (child_ <= 0) return;
    signal(SIGKILL);
    wait();
  }

  void signal(int number) const { ::kill(child_, number); }
  /// Its exit status; 128 + the signal for one that was killed.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(child_, -1), &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  /// Without waiting: whether it has ended. wait() says how.
  bool has_ended() const {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid != 0;
  }

 private:
  pid_t child_ = -1;
};

}  // namespace tgd::test
