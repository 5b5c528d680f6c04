// What a run leaves, and what is refused before it leaves anything.
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "support/http_server.hpp"

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

TEST_CASE("a budget of tokens or USD that cannot reach one step is refused, too, and one that may is not", "[cli]") {
  const test::TemporaryFolder folder;
  nlohmann::json task = nlohmann::json::parse(test::read_text(test::write_small_task(folder)));
  task["models"]["student"] = {{"provider", "simulated"}, {"price", {{"input", 1000}, {"output", 1000}}}};
  struct Case {
    std::string unit;
    double too_small;
    double enough;
  };
  const Case the = GENERATE(Case{"prompt_tokens", 500, 1e7}, Case{"completion_tokens", 30, 1e7}, Case{"usd", 0.5, 1e5});
  const bool has_cache = GENERATE(false, true);
  if (has_cache) task["cache"] = "replies.db";
  const auto run_with = [&](double amount, const std::vector<std::string>& command) {
    if (the.unit == "usd") {
      task["budget"] = {{the.unit, amount}};
    } else {
      task["budget"] = {{the.unit, static_cast<std::int64_t>(amount)}};
    }
    std::vector<std::string> arguments{command[0], folder.write("task.json", task.dump())};
    arguments.insert(arguments.end(), command.begin() + 1, command.end());
    return test::run_tgd(arguments);
  };
  const std::string run = (folder.path() / "run").string();
  const test::ProcessResult refused = run_with(the.too_small, {"optimize", "--run-dir", run});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, ContainsSubstring("is too small for one step: that takes about"));
  CHECK_FALSE(fs::exists(run));
  CHECK_FALSE(fs::exists(folder.path() / "replies.db"));
  CHECK(run_with(the.too_small, {"check", "--no-calls"}).status == 1);
  CHECK(run_with(the.enough, {"check", "--no-calls"}).status == 0);
  CHECK(run_with(the.enough, {"optimize", "--run-dir", run}).status == 0);
}

TEST_CASE("what a cache answers is no call of a budget: only what it certainly lacks is refused beforehand", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path file = test::write_small_task(folder);
  nlohmann::json task = nlohmann::json::parse(test::read_text(file));
  task["cache"] = "replies.db";
  folder.write("task.json", task.dump());
  const auto optimize = [&](const char* name, const char* calls) {
    return test::optimize(file, folder.path() / name, {"--max-calls", calls});
  };
  CHECK_THAT(optimize("none", "25").err, ContainsSubstring("the budget of 25 calls is too small for one step"));
  REQUIRE(test::run_tgd({"evaluate", file, "--split", "test"}).status == 0);  // a part of it is known now
  CHECK_THAT(optimize("part", "3").err,
             ContainsSubstring("too small to measure the samples before training: the cache answers"));
  REQUIRE(test::optimize(file, folder.path() / "whole").status == 0);
  const test::ProcessResult known = optimize("known", "1");
  INFO(known.out << known.err);
  CHECK(known.status == 0);
}

TEST_CASE("a budget in USD knows what endpoints gave no figures of, also when a run is gone on with", "[cli][concurrent]") {
  const test::TemporaryFolder folder;
  std::atomic<int> asked = 0;
  const test::HttpServer server([&](const test::HttpRequest&) -> test::HttpResponse {
    ++asked;
    return {.body = R"({"choices": [{"message": {"role": "assistant", "content": "billing"}, "finish_reason": "stop"}]})"};
  });
  nlohmann::json task = nlohmann::json::parse(test::read_text(test::write_small_task(folder)));
  task["models"] = {{"student",
                     {{"provider", "openai"},
                      {"model", "m"},
                      {"base_url", server.url() + "/v1"},
                      {"price", {{"input", 1000}, {"output", 1000}}}}}};
  task["budget"] = {{"usd", 15}};
  const fs::path run = folder.path() / "run";
  const test::ProcessResult ended = test::optimize(folder.write("task.json", task.dump()), run);
  INFO(ended.out << ended.err);
  REQUIRE_THAT(ended.out, ContainsSubstring("the budget is used up"));
  const int before = asked.exchange(0);
  const test::ProcessResult resumed = test::run_tgd({"optimize", "--resume", run});
  INFO(resumed.out << resumed.err);
  CHECK(asked < before / 4);
}

TEST_CASE("a password in --base-url is in no file of a run, and is given again to go on", "[cli][concurrent]") {
  const test::TemporaryFolder folder;
  std::atomic<int> allowed = 0;
  std::atomic<int> refused = 0;
  std::atomic<bool> is_full = true;
  const test::HttpServer server([&](const test::HttpRequest& request) -> test::HttpResponse {
    const bool knows =
        request.target.find("api_key=sekret77") != std::string::npos && request.headers.count("authorization") > 0;
    if (!knows) return ++refused, test::HttpResponse{.status = 401, .body = test::error_body("who are you?")};
    if (is_full && ++allowed > 20) return {.status = 402, .body = test::error_body("no money")};
    return {.body = test::completion_body("billing")};
  });
  const std::string host = server.url().substr(server.url().find("://") + 3);
  const std::string url = "http://ann:sekret99@" + host + "/v1?api_key=sekret77&v=2";
  const fs::path task = test::write_small_task(folder);
  const fs::path run = folder.path() / "run";
  CHECK(test::optimize(task, run, {"--base-url", url, "--model", "m"}).status == 1);
  REQUIRE(fs::exists(run / "journal.jsonl"));
  for (const auto& file : fs::recursive_directory_iterator(run)) {
    if (file.is_regular_file()) CHECK_THAT(test::read_text(file.path()), !ContainsSubstring("sekret"));
  }
  is_full = false;
  CHECK(test::run_tgd({"optimize", "--resume", run}).status == 1);
  CHECK(refused > 0);
  const test::ProcessResult other =
      test::run_tgd({"optimize", "--resume", run, "--base-url", "http://ann:sekret99@" + host + "/v2"});
  CHECK(other.status == 2);
  CHECK_THAT(other.err, ContainsSubstring("--base-url cannot change") && !ContainsSubstring("sekret"));
  const test::ProcessResult resumed = test::run_tgd({"optimize", "--resume", run, "--base-url", url});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
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
  const test::ProcessResult by_file = test::run_tgd({"evaluate", task, "--prompt", run / "parameters.json", "--no-cache"});
  CHECK_THAT(by_file.out, ContainsSubstring("the models are those of "));
  CHECK_THAT(by_file.err, !ContainsSubstring("WARNING"));
  CHECK_THAT(test::read_text(run / "report.html"), ContainsSubstring(server.url()));

  const test::ProcessResult first = test::run_tgd({"evaluate", task, "--no-cache"});
  CHECK_THAT(first.err, ContainsSubstring("WARNING: no language model answers here, but a simulation"));
  const auto input = folder.write("in.jsonl", R"({"text": "Where is my parcel?"})");
  CHECK_THAT(test::run_tgd({"predict", task, "--input", input}).err,
             ContainsSubstring("WARNING: no language model answers here"));
}
