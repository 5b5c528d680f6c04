#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "task/task.hpp"
#include "cli/tickets.hpp"
#include "support/process.hpp"
#include "support/table.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

TEST_CASE("init and check say of each awkward file what is odd about it, and what was done", "[cli][init][data]") {
  const nlohmann::json cases = test::table("data/awkward.json");
  REQUIRE(cases.size() >= 40);
  for (const nlohmann::json& row : cases) {
    const std::string name = row["file"];
    INFO(name);
    const test::TemporaryFolder folder;
    fs::copy_file(fs::path(TGD_TEST_SOURCE_DIR) / "data" / "awkward" / name, folder.path() / name);
    std::vector<std::string> arguments{TGD_PROGRAM, "init", name};
    for (const nlohmann::json& flag : row.value("flags", nlohmann::json::array())) arguments.push_back(flag);
    const test::ProcessResult init = test::run_process(arguments, {.folder = folder.path()});
    INFO(init.out << init.err);
    CHECK(init.status == row["init"]["status"].get<int>());
    for (const nlohmann::json& text : row["init"]["says"])
      CHECK_THAT(init.out + init.err, ContainsSubstring(text.get<std::string>()));
    if (init.status != 0) continue;
    const cli::Task task = cli::read_task(folder.path() / "task.json");
    CHECK(task.data.target == row["init"].value("target", task.data.target));
    const test::ProcessResult check =
        test::run_process({TGD_PROGRAM, "check", "task.json", "--no-calls"}, {.folder = folder.path()});
    CHECK(check.status == row["check"]["status"].get<int>());
    for (const nlohmann::json& text : row["check"]["says"]) CHECK_THAT(check.out, ContainsSubstring(text.get<std::string>()));
  }
}
