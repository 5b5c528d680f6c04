#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <tgd/error.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

std::size_t entries_of(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

}  // namespace

TEST_CASE("a file is written whole, and no temporary one stays", "[core]") {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "a.txt";
  const std::string large(1 << 20, 'x');
  for (const std::string& content : {std::string("first"), large, std::string("a\0b", 3), std::string()}) {
    detail::write_file(file, content);
    CHECK((detail::read_file(file) == content));
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("files that cannot be read or written are named with the reason", "[core]") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(detail::read_file(folder.path() / "none"), ContainsSubstring("none: No such file"));
  CHECK_THROWS_WITH(detail::read_file(folder.path()), ContainsSubstring("Is a directory"));
  CHECK_THROWS_AS(detail::write_file(folder.path() / "none/a.txt", "a"), ValueError);
  detail::write_file(folder.path() / "a.txt", "old");
  CHECK_THROWS_AS(detail::write_file(folder.path() / "a.txt/b", "a"), ValueError);
  CHECK(detail::read_file(folder.path() / "a.txt") == "old");
}

TEST_CASE("a file that many write at the same time is whole, and a failure leaves no temporary one", "[core][concurrent]") {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "a.txt";
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&file, letter] { detail::write_file(file, std::string(100'000, letter)); });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string content = detail::read_file(file);
  CHECK((content == std::string(100'000, content.at(0))));

  std::filesystem::create_directory(folder.path() / "b");
  CHECK_THROWS_AS(detail::write_file(folder.path() / "b", "a"), ValueError);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("what is no regular file, or too large, is not read and not waited for", "[core]") {
  const test::TemporaryFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(detail::read_file(pipe), ContainsSubstring("pipe: it is a pipe, expected a file"));
  CHECK_THROWS_WITH(detail::read_file("/dev/zero"), ContainsSubstring("it is a device"));
  fs::create_symlink("loop", folder.path() / "loop");
  CHECK_THROWS_AS(detail::read_file(folder.path() / "loop"), ValueError);
  const fs::path file = folder.write("large", "12345");
  CHECK(detail::read_file(file, 5) == "12345");
  CHECK_THROWS_WITH(detail::read_file(file, 4), ContainsSubstring("it has more than 4 bytes"));
  fs::resize_file(file, detail::most_bytes + 1);  // a hole
  CHECK_THROWS_WITH(detail::read_file(file), ContainsSubstring("it has more than"));
  CHECK_THROWS_AS(detail::expect_regular_file(pipe), ValueError);
  CHECK_FALSE(detail::read_file("/proc/self/status").empty());  // its size is said to be 0
}

TEST_CASE("a file for its user alone is private and never reached through a link", "[core]") {
  const test::TemporaryFolder folder;
  const fs::path victim = folder.write("victim", "precious");
  const fs::path file = folder.path() / "file";
  fs::create_symlink(victim, file);
  detail::write_file(file, "private", detail::Access::owner);
  CHECK(detail::read_file(victim) == "precious");
  CHECK(detail::read_file(file) == "private");
  CHECK(fs::is_regular_file(fs::symlink_status(file)));
  CHECK(mode_of(file) == 0600);

  detail::make_run_folder(folder.path() / "a/b/");
  CHECK(mode_of(folder.path() / "a/b") == 0700);
  detail::make_run_folder(folder.path());
  CHECK_THROWS_AS(detail::make_run_folder(file), ValueError);
}

TEST_CASE("a file that is replaced keeps its mode", "[core]") {
  const test::TemporaryFolder folder;
  const fs::path file = folder.write("file", "old");
  REQUIRE(::chmod(file.c_str(), 0640) == 0);
  detail::write_file(file, "new");
  CHECK(mode_of(file) == 0640);
}

TEST_CASE("a write that fails, or that the process does not survive, leaves no temporary file", "[core]") {
  const test::TemporaryFolder folder;
  const fs::path file = folder.write("file", "old");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // A file that may grow no further: the write fails.
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGXFSZ, &ignore, nullptr);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      detail::write_file(file, std::string(100'000, 'x'));
      ::_exit(1);
    } catch (const ValueError&) {
      ::_exit(entries_of(folder.path()) == 1 && detail::read_file(file) == "old" ? 0 : 2);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("output that a user names goes through links, into pipes and devices, and replaces none of them", "[core]") {
  const test::TemporaryFolder folder;
  SECTION("a link stays, and its file is written") {
    const fs::path file = folder.write("file", "old");
    fs::create_symlink("file", folder.path() / "link");
    detail::write_output(folder.path() / "link", "new");
    CHECK(detail::read_file(file) == "new");
    CHECK(fs::is_symlink(folder.path() / "link"));
    CHECK(detail::output_at(folder.path() / "link").is_there);
  }
  SECTION("a link to nothing makes the file") {
    fs::create_symlink("later", folder.path() / "link");
    CHECK_FALSE(detail::output_at(folder.path() / "link").is_there);
    detail::write_output(folder.path() / "link", "new");
    CHECK(detail::read_file(folder.path() / "later") == "new");
    CHECK(fs::is_symlink(folder.path() / "link"));
  }
  SECTION("a pipe") {
    const fs::path pipe = folder.path() / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    const int end = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
    detail::write_output(pipe, "through");
    char buffer[16] = {};
    CHECK(::read(end, buffer, sizeof buffer) == 7);
    CHECK(std::string(buffer) == "through");
    ::close(end);
    CHECK(fs::is_fifo(pipe));
  }
  SECTION("a device") {
    detail::write_output("/dev/null", "away");
    CHECK(fs::is_character_file("/dev/null"));
    CHECK_THROWS_WITH(detail::write_output("/dev/full", "away"), ContainsSubstring("/dev/full"));
  }
  SECTION("a folder is refused") {
    CHECK_THROWS_WITH(detail::write_output(folder.path(), "x"), ContainsSubstring("it is a folder"));
    CHECK_THROWS_AS(detail::write_output(folder.path() / "none/file", "x"), ValueError);
  }
}

TEST_CASE("what can be no file's name is told", "[core]") {
  const std::map<std::string, std::string> cases = {{"a/b", "slash"},
                                                    {"..", "dot"},
                                                    {"", "empty"},
                                                    {"a\nb", "control"},
                                                    {".hidden", "dot"},
                                                    {std::string("a\0", 2), "control"},
                                                    {std::string(300, 'a'), "300 bytes"}};
  for (const auto& [name, problem] : cases) CHECK_THAT(detail::file_name_problem(name, ".txt"), ContainsSubstring(problem));
  for (const char* name : {"rules", "agent.rules", "ü", "a b"}) CHECK(detail::file_name_problem(name, ".txt").empty());
}
