#include "core/append_file.hpp"

#include <sys/stat.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <tgd/error.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::detail::AppendFile;
using tgd::detail::read_file;
using tgd::detail::RecordFormat;

namespace {

const RecordFormat lines{"#", "\n"};
const RecordFormat blocks{"{", "\n}\n"};

}  // namespace

TEST_CASE("Records are added to what a file holds", "[core][append_file]") {
  const tgd::test::TemporaryFolder folder;
  const auto path = folder.path() / "file";
  { AppendFile(path, lines).append("#1\n"); }
  AppendFile(path, lines).append("#2\n#3\n");
  CHECK(read_file(path) == "#1\n#2\n#3\n");
}

TEST_CASE("A record that was cut off is removed", "[core][append_file]") {
  const tgd::test::TemporaryFolder folder;
  SECTION("when the file is opened") {
    const AppendFile file(folder.write("file", "#1\n#2\n#3 cut o"), lines);
    CHECK(read_file(file.path()) == "#1\n#2\n");
  }
  SECTION("before the next one is added") {
    AppendFile file(folder.write("file", "#1\n"), lines);
    folder.write("file", "#1\n#2 cut o");
    file.append("#3\n");
    CHECK(read_file(file.path()) == "#1\n#3\n");
  }
  SECTION("when it is the only one") {
    const AppendFile file(folder.write("file", "#1 cut o"), lines);
    CHECK(read_file(file.path()).empty());
  }
  SECTION("when it is very long, and its end marks cross the windows of the search") {
    for (const std::size_t size : {65530U, 65533U, 65534U, 65535U, 65536U, 200000U}) {
      const AppendFile file(folder.write("file", "{\n}\n{\n " + std::string(size, 'x')), blocks);
      CHECK(read_file(file.path()) == "{\n}\n");
    }
  }
}

TEST_CASE("Somebody else's file is left alone", "[core][append_file]") {
  const tgd::test::TemporaryFolder folder;
  const auto path = folder.write("thesis.txt", "Chapter 1");
  CHECK_THROWS_WITH(AppendFile(path, lines), ContainsSubstring("thesis.txt holds something else"));
  CHECK(read_file(path) == "Chapter 1");
}

TEST_CASE("A file that cannot be opened or written is an error with the system's reason", "[core][append_file]") {
  CHECK_THROWS_WITH(AppendFile("/no/such/folder/file", lines), ContainsSubstring("No such file or directory"));
  AppendFile full("/dev/full", lines);
  CHECK_THROWS_WITH(full.append("#1\n"), ContainsSubstring("cannot write /dev/full: No space left on device"));
}

TEST_CASE("A file that was replaced is found again", "[core][append_file]") {
  const tgd::test::TemporaryFolder folder;
  AppendFile file(folder.write("file", "#1\n"), lines);
  tgd::detail::write_file(file.path(), "#new\n");
  file.append("#2\n");
  CHECK(read_file(file.path()) == "#new\n#2\n");
}

TEST_CASE("Records of several writers never mix", "[core][append_file][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  const auto path = folder.path() / "file";
  std::vector<std::thread> threads;
  for (const char letter : {'a', 'b', 'c'}) {
    threads.emplace_back([&path, letter] {
      AppendFile file(path, lines);
      for (int i = 0; i < 50; ++i) file.append("#" + std::string(2000, letter) + "\n");
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = read_file(path);
  CHECK(text.size() == 150U * 2002U);
  for (std::size_t at = 0; at < text.size(); at += 2002) {
    if (text.substr(at, 2002) != "#" + std::string(2000, text[at + 1]) + "\n") FAIL("mixed at " << at);
  }
}

TEST_CASE("Records are not added through a link, or to what is no file, where they are for their user alone",
          "[core][append_file]") {
  const tgd::test::TemporaryFolder folder;
  const auto victim = folder.write("victim", "#1\n");
  std::filesystem::create_symlink(victim, folder.path() / "link");
  CHECK_THROWS_WITH(AppendFile(folder.path() / "link", lines, tgd::detail::Access::owner), ContainsSubstring("symbolic link"));
  CHECK(read_file(victim) == "#1\n");
  AppendFile(folder.path() / "link", lines).append("#2\n");
  CHECK(read_file(victim) == "#1\n#2\n");
  REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(AppendFile(folder.path() / "pipe", lines), ContainsSubstring("it is a pipe"));

  const AppendFile file(folder.path() / "private", lines, tgd::detail::Access::owner);
  CHECK(std::filesystem::status(file.path()).permissions() ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("A file of records is cut where it is told, and what is added goes behind", "[core][append_file]") {
  const tgd::test::TemporaryFolder folder;
  AppendFile file(folder.write("file", "#1\n#2\n#3\n"), lines);
  file.cut(100);
  CHECK(read_file(file.path()) == "#1\n#2\n#3\n");
  file.cut(3);
  file.append("#4\n");
  CHECK(read_file(file.path()) == "#1\n#4\n");
}

TEST_CASE("A file's header is written with the first record, whoever has put an empty file in its place",
          "[core][append_file]") {
  const RecordFormat with_header{"#", "\n", "#header\n"};
  const tgd::test::TemporaryFolder folder;
  AppendFile file(folder.path() / "file", with_header);
  CHECK(read_file(file.path()).empty());
  file.append("#1\n");
  file.append("#2\n");
  CHECK(read_file(file.path()) == "#header\n#1\n#2\n");
  std::filesystem::remove(file.path());
  file.append("#3\n");
  CHECK(read_file(file.path()) == "#header\n#3\n");
}

TEST_CASE("Who replaces a file that others add to waits for them, and leaves it as it is", "[core][append_file][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  { const tgd::detail::FileLock nothing(folder.path() / "no file"); }
  CHECK_FALSE(std::filesystem::exists(folder.path() / "no file"));
  AppendFile file(folder.write("file", "#1\n"), lines);
  std::string found;
  std::thread replacing;
  {
    const AppendFile::Lock adding(file);
    replacing = std::thread([&] {
      const tgd::detail::FileLock lock(file.path());
      found = read_file(file.path());
      tgd::detail::write_file(file.path(), found + "#new\n");
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    folder.write("file", "#1\n#2\n#3 cut o");  // what is being added, so far
  }
  replacing.join();
  CHECK(found == "#1\n#2\n#3 cut o");
  file.append("#4\n");
  CHECK(read_file(file.path()) == "#1\n#2\n#3 cut o#new\n#4\n");
}
