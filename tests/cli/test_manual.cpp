// Manual pages: what --help says, for man.
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/program.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

/// The words that begin with two dashes.
std::set<std::string> options_in(const std::string& text) {
  std::set<std::string> options;
  for (std::size_t at = text.find("--"); at != text.npos; at = text.find("--", at + 2)) {
    std::size_t end = at + 2;
    while (end < text.size() && ((text[end] >= 'a' && text[end] <= 'z') || text[end] == '-')) ++end;
    if (end > at + 3) options.insert(text.substr(at, end - at));
  }
  return options;
}

std::string without_escapes(std::string text) {
  for (std::size_t at = text.find("\\-"); at != text.npos; at = text.find("\\-", at)) text.replace(at, 2, "-");
  return text;
}

/// The commands that tgd --help lists.
std::vector<std::string> commands() {
  std::istringstream lines(test::run_tgd({"--help"}).out);
  std::vector<std::string> names;
  bool is_list = false;
  for (std::string line; std::getline(lines, line);) {
    if (is_list && line.empty()) break;
    if (is_list) names.push_back(line.substr(2, line.find(' ', 2) - 2));
    is_list = is_list || line == "Subcommands:";
  }
  return names;
}

}  // namespace

TEST_CASE("each command has a manual page with all that its help says", "[cli]") {
  const test::TemporaryFolder folder;
  REQUIRE(test::run_tgd({"manual", folder.path().string()}).status == 0);
  CHECK(commands().size() >= 14);
  CHECK_THAT(test::run_tgd({"--help"}).out, !ContainsSubstring("manual"));
  const std::string whole = without_escapes(test::read_text(folder.path() / "man/man1/tgd.1"));
  const auto groff = test::find_program("groff");
  for (const std::string& command : commands()) {
    INFO(command);
    const fs::path file = folder.path() / "man/man1" / ("tgd-" + command + ".1");
    const std::string page = test::read_text(file);
    CHECK_THAT(whole, ContainsSubstring("tgd-" + command));
    const std::string plain = without_escapes(page);
    for (const std::string& option : options_in(test::run_tgd({command, "--help"}).out)) {
      INFO(option);
      CHECK(plain.find(option) != plain.npos);
    }
    if (groff) CHECK(test::run_process({*groff, "-man", "-ww", "-z", "-Tutf8", file.string()}).err == "");
  }
  CHECK(test::run_tgd({"completion", "bash"}).out == test::read_text(folder.path() / "bash-completion/completions/tgd"));
}
