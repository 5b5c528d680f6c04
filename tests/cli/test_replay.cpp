#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

/// Replaces the first occurrence of a text in a file.
void edit(const fs::path& file, const std::string& from, const std::string& to) {
  std::string text = test::read_text(file);
  const std::size_t at = text.find(from);
  REQUIRE(at != text.npos);
  text.replace(at, from.size(), to);
  std::ofstream(file, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("a recorded run is replayed without its endpoint and comes to the same", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path file = test::write_small_task(folder, 30);
  const fs::path run = folder.path() / "run";
  {
    const test::ChatServer server(std::make_shared<lm::Simulated>(), {.shuffle = std::chrono::milliseconds(5), .seed = 1});
    nlohmann::json task = nlohmann::json::parse(test::read_text(file));
    task["models"]["student"] = {
        {"provider", "openai"}, {"model", "simulated"}, {"base_url", server.url()}, {"api_key", "${TGD_TEST_KEY}"}};
    folder.write("task.json", task.dump());
    const test::ProcessResult recorded =
        test::optimize(file, run, {"--record", "--epochs", "1"}, {.environment = {{"TGD_TEST_KEY", "key-of-the-test"}}});
    INFO(recorded.out << recorded.err);
    REQUIRE(recorded.status == 0);
  }
  const test::ProcessResult same = test::run_tgd({"replay", run.string()});
  INFO(same.out << same.err);
  CHECK(same.status == 0);
  CHECK_THAT(same.out, ContainsSubstring("The same"));
  CHECK_THAT(same.out, !ContainsSubstring("Accuracy"));

  SECTION("its files can be kept") {
    const fs::path kept = folder.path() / "kept";
    const test::ProcessResult result = test::run_tgd({"replay", run.string(), "--run-dir", kept.string(), "--json"});
    CHECK(result.status == 0);
    CHECK(nlohmann::json::parse(result.out)["same"] == true);
    CHECK(test::read_text(kept / "metrics.jsonl") == test::read_text(run / "metrics.jsonl"));
  }
  SECTION("the first difference is told") {
    edit(run / "metrics.jsonl", "\"samples\":", "\"samples\":1");
    const test::ProcessResult result = test::run_tgd({"replay", run.string()});
    CHECK(result.status == 1);
    CHECK_THAT(result.out, ContainsSubstring("metrics.jsonl, line 1") && ContainsSubstring("recorded: "));
  }
  SECTION("other values of the parameters are one") {
    edit(run / "parameters.json", "small web shop", "large web shop");
    const test::ProcessResult result = test::run_tgd({"replay", run.string(), "--json"});
    CHECK(result.status == 1);
    CHECK_THAT(nlohmann::json::parse(result.out)["difference"]["what"].get<std::string>(), ContainsSubstring("/instructions"));
  }
  SECTION("so is a request that was not recorded") {
    edit(run / "task.json", "small web shop", "large web shop");
    const test::ProcessResult result = test::run_tgd({"replay", run.string()});
    CHECK(result.status == 1);
    CHECK_THAT(result.out, ContainsSubstring("the requests") && ContainsSubstring("large web shop"));
  }
}

TEST_CASE("a run that was interrupted and gone on with is replayed in one piece", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path file = test::write_small_task(folder, 40);
  nlohmann::json task = nlohmann::json::parse(test::read_text(file));
  task["models"]["student"] = {{"provider", "simulated"}, {"latency_ms", 20}};
  folder.write("task.json", task.dump());
  const fs::path run = folder.path() / "run";
  {
    test::Process program = test::start_tgd({"optimize", file.string(), "--run-dir", run.string(), "--record"});
    const auto has_stepped = [&] {
      return fs::exists(run / "metrics.jsonl") && test::read_text(run / "metrics.jsonl").find("\"step\"") != std::string::npos;
    };
    while (!has_stepped() && !program.has_ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    program.signal(SIGINT);
    REQUIRE(program.wait().status == 130);
  }
  const test::ProcessResult more = test::run_tgd({"optimize", "--resume", run.string(), "--record"});
  INFO(more.out << more.err);
  REQUIRE(more.status == 0);
  const test::ProcessResult result = test::run_tgd({"replay", run.string()});
  INFO(result.out << result.err);
  CHECK(result.status == 0);
}

TEST_CASE("what cannot be replayed is told", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder, 30);
  const fs::path run = folder.path() / "run";
  REQUIRE(test::optimize(task, run, {"--epochs", "1"}).status == 0);
  const test::ProcessResult unrecorded = test::run_tgd({"replay", run.string()});
  CHECK(unrecorded.status == 2);
  CHECK_THAT(unrecorded.err, ContainsSubstring("--record"));

  edit(run / "result.json", "\"status\": \"ok\"", "\"status\": \"interrupted\"");
  const test::ProcessResult unfinished = test::run_tgd({"replay", run.string()});
  CHECK(unfinished.status == 2);
  CHECK_THAT(unfinished.err, ContainsSubstring("interrupted") && ContainsSubstring("--resume"));
  CHECK(test::run_tgd({"replay", (folder.path() / "none").string()}).status == 2);
}

TEST_CASE("what a cache gave passes the budget by in a replay as it did in the run", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path file = test::write_small_task(folder, 30);
  nlohmann::json task = nlohmann::json::parse(test::read_text(file));
  task["cache"] = "replies.db";
  // Enough for a step, and for little more. What is asked again then is in the cache, and nothing else is asked any more.
  task["budget"] = {{"calls", GENERATE(50, 53, 60)}};
  folder.write("task.json", task.dump());
  const fs::path run = folder.path() / "run";
  const test::ProcessResult recorded = test::optimize(file, run, {"--record", "--epochs", "1"});
  INFO(recorded.out << recorded.err);
  REQUIRE(recorded.status == 0);
  const test::ProcessResult same = test::run_tgd({"replay", run.string()});
  INFO(same.out << same.err);
  CHECK(same.status == 0);
}
