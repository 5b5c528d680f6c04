#include <sys/stat.h>

#include <tgd/prompts.hpp>

#include <algorithm>
#include <string>
#include <string_view>

#include <tgd/error.hpp>

#include "catch.hpp"
#include "support/golden.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Prompts;
using tgd::ValueError;
using tgd::test::TemporaryFolder;

namespace {

const Prompts& defaults() {
  static const Prompts embedded;
  return embedded;
}

}  // namespace

TEST_CASE("The embedded prompts are the files of the folder prompts", "[core][prompts]") {
  const auto names = Prompts::names();
  CHECK(std::is_sorted(names.begin(), names.end()));

  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TGD_TEST_SOURCE_DIR "/../prompts")) {
    CAPTURE(entry.path());
    ++files;
    CHECK(std::string(defaults().get(entry.path().stem().string())) + "\n" == tgd::test::read_text(entry.path()));
  }
  CHECK(files == names.size());
}

TEST_CASE("A prompt can be replaced in one object, and others do not notice", "[core][prompts]") {
  Prompts mine;
  const std::string before(mine.get("backward_placeholder"));
  const Prompts copy = mine;
  mine.set("backward_placeholder", "HERE").set("backward_system", "Be kind.");
  CHECK(mine.get("backward_placeholder") == "HERE");
  CHECK(mine.get("backward_system") == "Be kind.");
  CHECK(copy.get("backward_placeholder") == before);
  CHECK(defaults().get("backward_placeholder") == before);
}

TEST_CASE("A prompt of an unknown name is an error that lists the names and guesses", "[core][prompts]") {
  Prompts prompts;
  CHECK_THROWS_AS(prompts.get("tgd_usr"), ValueError);
  CHECK_THROWS_AS(prompts.set("tgd_usr", "x"), ValueError);
  CHECK_THROWS_WITH(prompts.get("tgd_usr"),
                    ContainsSubstring("did you mean \"tgd_user\"?") && ContainsSubstring("backward_system"));
  CHECK_THROWS_WITH(prompts.get("zzzzzzzzzzzz"), !ContainsSubstring("did you mean"));
}

TEST_CASE("A replacement has to have the placeholders of the default", "[core][prompts]") {
  Prompts prompts;
  CHECK_THROWS_AS(prompts.set("tgd_feedback_item", "no placeholder"), ValueError);
  CHECK_THROWS_WITH(prompts.set("tgd_feedback_item", "{ feedback }"), ContainsSubstring("{feedback}"));
  CHECK_THROWS_WITH(prompts.set("backward_sample", "{conversation} {reply}"),
                    ContainsSubstring("backward_sample") && ContainsSubstring("{feedback}"));
  CHECK(prompts.get("tgd_feedback_item") == defaults().get("tgd_feedback_item"));
  CHECK_NOTHROW(prompts.set("tgd_feedback_item", "{feedback} {and} {\"more\": {}}"));
}

TEST_CASE("Prompts are loaded from a folder", "[core][prompts]") {
  const TemporaryFolder folder;
  Prompts prompts;

  SECTION("that replaces those it has") {
    folder.write("tgd_feedback_item.md", "F: {feedback}\n\n");
    folder.write("README.txt", "ignored");
    prompts.load(folder.path());
    CHECK(prompts.get("tgd_feedback_item") == "F: {feedback}\n");
    CHECK(prompts.get("tgd_user") == defaults().get("tgd_user"));
  }
  SECTION("and an error in one changes none") {
    folder.write("backward_placeholder.md", "HERE");
    SECTION("an unknown name") { folder.write("tgd_users.md", "x"); }
    SECTION("a missing placeholder") { folder.write("tgd_user.md", "x"); }
    CHECK_THROWS_AS(prompts.load(folder.path()), ValueError);
    CHECK(prompts.get("backward_placeholder") == defaults().get("backward_placeholder"));
  }
  SECTION("that has to exist") {
    CHECK_THROWS_WITH(prompts.load(folder.path() / "missing"), ContainsSubstring("missing"));
    folder.write("file", "");
    CHECK_THROWS_AS(prompts.load(folder.path() / "file"), ValueError);
  }
}

TEST_CASE("What is no prompt in a folder of prompts is named, and nothing waits for it", "[core][prompts]") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "tgd_user.md";
  std::string problem;
  SECTION("a pipe") {
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    problem = "it is a pipe";
  }
  SECTION("a device, by a link") {
    std::filesystem::create_symlink("/dev/zero", file);
    problem = "it is a device";
  }
  SECTION("a folder") {
    std::filesystem::create_directory(file);
    problem = "Is a directory";
  }
  SECTION("a link in a circle") {
    std::filesystem::create_symlink("tgd_user.md", file);
    problem = "symbolic links";
  }
  SECTION("a link to nothing") {
    std::filesystem::create_symlink("nothing", file);
    problem = "No such file";
  }
  SECTION("a file of a size that no prompt has") {
    folder.write("tgd_user.md", "");
    std::filesystem::resize_file(file, std::uintmax_t{1} << 40U);
    problem = "it has more than";
  }
  SECTION("bytes that are no text") {
    folder.write("tgd_user.md", "\xff\xc0");
    problem = "not UTF-8";
  }
  SECTION("a zero byte") {
    folder.write("tgd_user.md", std::string_view("a\0b", 3));
    problem = "a zero byte";
  }
  Prompts prompts;
  CHECK_THROWS_WITH(prompts.load(folder.path()), ContainsSubstring("tgd_user.md") && ContainsSubstring(problem));
}

TEST_CASE("A prompt is rendered with its placeholders filled", "[core][prompts]") {
  Prompts prompts;
  prompts.set("tgd_feedback_item", "{feedback}\n\n{\"json\": 1}");
  CHECK(prompts.render("tgd_feedback_item", {{"feedback", "{feedback}"}}) == "{feedback}\n\n{\"json\": 1}");
  CHECK(prompts.render("tgd_feedback_item", {{"feedback", ""}}) == "{\"json\": 1}");
}
