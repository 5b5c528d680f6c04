#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <tgd/error.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

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

TEST_CASE("a file that many write at the same time is whole, and a failure leaves no temporary one", "[core]") {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "a.txt";
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&file, letter] { detail::write_shared_file(file, std::string(100'000, letter)); });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string content = detail::read_file(file);
  CHECK((content == std::string(100'000, content.at(0))));

  std::filesystem::create_directory(folder.path() / "b");
  CHECK_THROWS_AS(detail::write_shared_file(folder.path() / "b", "a"), ValueError);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}
