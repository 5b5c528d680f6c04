#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/program.hpp"

using namespace tgd;
namespace fs = std::filesystem;

namespace {

/// What bash offers behind these words, one a line, in order; the last word is the one under the cursor.
std::string offered(const fs::path& script, const fs::path& folder, const std::vector<std::string>& words) {
  std::string command =
      "source \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _tgd; printf '%s\\n' \"${COMPREPLY[@]}\" | sort";
  std::vector<std::string> arguments{*test::find_program("bash"), "-c", command, script.string()};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const test::ProcessResult result = test::run_process(arguments, {.folder = folder});
  CHECK(result.err.empty());
  return result.out;
}

}  // namespace

TEST_CASE("bash completes commands, options, choices, files and folders", "[cli]") {
  if (!test::find_program("bash")) {
    WARN("skipped: bash is not installed");
    return;
  }
  const test::TemporaryFolder folder;
  const test::ProcessResult printed = test::run_tgd({"completion", "bash"});
  REQUIRE(printed.status == 0);
  const fs::path script = folder.write("tgd.bash", printed.out);
  const test::ProcessResult syntax = test::run_process({*test::find_program("bash"), "-n", script.string()});
  CHECK(syntax.status == 0);
  CHECK(syntax.err.empty());
  folder.write("files/my task.json", "{}");
  folder.write("files/runs/a/task.json", "{}");

  struct Case {
    std::vector<std::string> words;
    std::string offered;
  };
  const std::vector<Case> cases{{{"tgd", "ev"}, "evaluate\n"},
                                {{"tgd", "cache", ""}, "prune\nstats\n"},
                                {{"tgd", "optimize", "--max-t"}, "--max-time\n"},
                                {{"tgd", "optimize", "task.json", "--see"}, "--seed\n"},
                                {{"tgd", "cache", "prune", "--k"}, "--keep\n"},
                                {{"tgd", "evaluate", "--split", ""}, "all\ntest\ntrain\nvalidation\n"},
                                {{"tgd", "evaluate", "--split", "=", "va"}, "validation\n"},
                                {{"tgd", "evaluate", "--split", "="}, "all\ntest\ntrain\nvalidation\n"},
                                {{"tgd", "completion", "z"}, "zsh\n"},
                                {{"tgd", "optimize", "m"}, "my task.json\n"},
                                {{"tgd", "predict", "task.json", "--input", "m"}, "my task.json\n"},
                                {{"tgd", "replay", ""}, "runs\n"},
                                {{"tgd", "optimize", "--epochs", ""}, "\n"}};
  for (const Case& example : cases) {
    INFO(Catch::StringMaker<std::vector<std::string>>::convert(example.words));
    CHECK(offered(script, folder.path() / "files", example.words) == example.offered);
  }
}

TEST_CASE("the scripts for zsh and fish are ones, where those are installed", "[cli]") {
  const test::TemporaryFolder folder;
  for (const char* shell : {"zsh", "fish"}) {
    const test::ProcessResult printed = test::run_tgd({"completion", shell});
    REQUIRE(printed.status == 0);
    // Every command and a nested option are in it, whether or not its shell is here.
    for (const char* word : {"optimize", "evaluate", "older-than", "validation"})
      CHECK(printed.out.find(word) != std::string::npos);
    const auto program = test::find_program(shell);
    if (!program) continue;
    const test::ProcessResult syntax = test::run_process({*program, "-n", folder.write(shell, printed.out).string()});
    CHECK(syntax.status == 0);
    CHECK(syntax.err.empty());
  }
  CHECK(test::run_tgd({"completion", "powershell"}).status == 2);
}

TEST_CASE("a misspelt command or option is answered with the one that was meant", "[cli]") {
  struct Case {
    std::vector<std::string> arguments;
    std::string meant;
  };
  const std::vector<Case> cases{{{"optimise", "task.json"}, "did you mean \"optimize\"?"},
                                {{"optimize", "task.json", "--sed", "1"}, "did you mean \"--seed\"?"},
                                {{"optimize", "task.json", "--sede=1"}, "did you mean \"--seed\"?"},
                                {{"cache", "stat", "x.db"}, "did you mean \"stats\"?"},
                                {{"cache", "prune", "x.db", "--older-then", "3d"}, "did you mean \"--older-than\"?"}};
  for (const Case& example : cases) {
    const test::ProcessResult result = test::run_tgd(example.arguments);
    INFO(result.err);
    CHECK(result.status == 2);
    CHECK(result.err.find(example.meant) != std::string::npos);
  }
  CHECK(test::run_tgd({"optimize", "--qqqq"}).err.find("did you mean") == std::string::npos);
}
