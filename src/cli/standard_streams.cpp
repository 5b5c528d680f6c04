#include "cli/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <system_error>

#include <fmt/format.h>
#include <tgd/error.hpp>

namespace tgd::cli {

void open_standard_streams() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(number, F_GETFD) >= 0 || errno != EBADF) continue;
    // Opened the wrong way round. The lowest free number is this one, as those below it are open.
    [[maybe_unused]] const int opened = ::open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void write_output(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void expect_output_written() {
  std::cout.flush();
  errno = 0;
  const bool is_flushed = std::fflush(stdout) == 0;
  const int reason = errno;
  if (is_flushed && std::ferror(stdout) == 0) return;
  throw ValueError(fmt::format("cannot write to standard output{}",
                               is_flushed || reason == 0 ? "" : ": " + std::generic_category().message(reason)));
}

}  // namespace tgd::cli
