// What a run leaves, and what is refused before it leaves anything.
#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

fs::path task_with_budget(const test::TemporaryFolder& folder, int calls) {
  nlohmann::json task = nlohmann::json::parse(test::read_text(test::write_small_task(folder)));
  task["budget"] = {{"calls", calls}};
  return folder.write("task.json", task.dump(2));
}

}  // namespace

TEST_CASE("a budget that cannot reach one step is refused before anything is sent", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const fs::path run = folder.path() / "run";
  for (const char* calls : {"0", "25", "80"}) {
    const test::ProcessResult result = test::optimize(task, run, {"--max-calls", calls});
    INFO(result.out << result.err);
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("the budget of " + std::string(calls) + " calls is too small for one step"));
    CHECK_FALSE(fs::exists(run));
  }
  const test::ProcessResult check = test::run_tgd({"check", task_with_budget(folder, 25), "--no-calls"});
  CHECK(check.status == 1);
  CHECK_THAT(check.err, ContainsSubstring("too small for one step") && ContainsSubstring("or more (--max-calls)"));
}

TEST_CASE("a run says how it ended, and after a budget how it goes on", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const fs::path run = folder.path() / "run";
  const test::ProcessResult ended = test::optimize(task, run, {"--max-calls", "150"});
  INFO(ended.out << ended.err);
  REQUIRE(ended.status == 0);
  CHECK_THAT(ended.out,
             ContainsSubstring(": the budget is used up. With a larger one it goes on: tgd optimize --resume " + run.string()));
  CHECK_THAT(ended.out, ContainsSubstring("the budget is used up after") && !ContainsSubstring("stopped on request"));
  CHECK_THAT(test::optimize(task, folder.path() / "whole").out, ContainsSubstring("all epochs are done"));
}

TEST_CASE("a prompt that a person edited in the run folder is used, and said to be", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const fs::path run = folder.path() / "run";
  REQUIRE(test::optimize(task, run).status == 0);
  const test::ProcessResult plain = test::run_tgd({"evaluate", task, "--prompt", run, "--json"});
  CHECK_THAT(plain.err, !ContainsSubstring("was edited"));
  folder.write("run/instructions.txt", "Edited by hand.\r\n");
  const test::ProcessResult edited = test::run_tgd({"evaluate", task, "--prompt", run, "--json"});
  CHECK_THAT(edited.err, ContainsSubstring("instructions.txt was edited since the run; the text in it is used"));
  CHECK(nlohmann::json::parse(edited.out)["prompts"][0]["values"]["instructions"] == "Edited by hand.");
}

TEST_CASE("what was made with some models is used with them, and a simulation is said to be one", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const fs::path run = folder.path() / "run";
  const auto served = std::make_shared<lm::Simulated>();
  const test::ChatServer server(served);
  REQUIRE(test::optimize(task, run, {"--base-url", server.url(), "--model", "served"}).status == 0);
  const auto asked = served->usage().calls;
  const test::ProcessResult evaluated = test::run_tgd({"evaluate", task, "--prompt", run, "--no-cache"});
  INFO(evaluated.out << evaluated.err);
  REQUIRE(evaluated.status == 0);
  CHECK(served->usage().calls > asked);
  CHECK_THAT(evaluated.out, ContainsSubstring("the models are those of " + run.string()));
  CHECK_THAT(evaluated.err, !ContainsSubstring("WARNING"));

  const test::ProcessResult first = test::run_tgd({"evaluate", task, "--no-cache"});
  CHECK_THAT(first.err, ContainsSubstring("WARNING: no language model answers here, but a simulation"));
  const auto input = folder.write("in.jsonl", R"({"text": "Where is my parcel?"})");
  CHECK_THAT(test::run_tgd({"predict", task, "--input", input}).err,
             ContainsSubstring("WARNING: no language model answers here"));
}
