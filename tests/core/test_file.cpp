#include <filesystem>
#include <string>

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
