// Search by short chains, as the program does it.
#include <algorithm>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

nlohmann::json searching_task() {
  nlohmann::json task = test::shipped_task();
  task["data"]["file"] = (test::examples / "tickets/tickets.jsonl").string();
  task["training"]["epochs"] = 2;
  task["training"].erase("gate");
  task["training"].erase("validate_every");
  task["training"]["search"] = {{"chain", 2}, {"proposals", 2}, {"confirm", 24}};
  return task;
}

/// One run, recorded, for all tests that look at a whole one.
struct WholeRun {
  test::TemporaryFolder folder;
  std::filesystem::path task = folder.write("task.json", searching_task().dump(2));
  std::filesystem::path run = folder.path() / "run";
  test::ProcessResult result = test::optimize(task, run, {"--record"});
};

const WholeRun& whole_run() {
  static const WholeRun run;
  return run;
}

const nlohmann::json* confirmation_in(const std::vector<nlohmann::json>& metrics) {
  const auto found = std::find_if(metrics.begin(), metrics.end(), [](const nlohmann::json& line) {
    return line["kind"] == "search" && line["search"].contains("confirmation");
  });
  return found == metrics.end() ? nullptr : &(*found)["search"]["confirmation"];
}

}  // namespace

TEST_CASE("a search learns, confirms what it has learned, and comes to the same when it is replayed", "[cli][search]") {
  const auto& [folder, file, run, result] = whole_run();
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, ContainsSubstring("chain of 2 steps: ") && ContainsSubstring("confirmed: "));
  const auto metrics = test::lines_of(test::read_text(run / "metrics.jsonl"));
  const nlohmann::json* confirmation = confirmation_in(metrics);
  REQUIRE(confirmation != nullptr);
  CHECK((*confirmation)["confirmed"] == true);
  CHECK((*confirmation)["samples"] == 24);
  const nlohmann::json accuracy = test::read_result(run)["accuracy"];
  CHECK(accuracy["validation"]["after"].get<double>() > accuracy["validation"]["before"].get<double>());
  CHECK(accuracy["test"]["after"].get<double>() > accuracy["test"]["before"].get<double>());

  const test::ProcessResult replayed = test::run_tgd({"replay", run.string()});
  INFO(replayed.out << replayed.err);
  CHECK(replayed.status == 0);
}

TEST_CASE("what a search cannot confirm is not handed back, unless that is wanted", "[cli][search]") {
  const test::TemporaryFolder folder;
  nlohmann::json task = searching_task();
  task["training"]["search"]["confidence"] = 0.9999999999;
  const bool keeps = GENERATE(false, true);
  task["training"]["search"]["keep_unconfirmed"] = keeps;
  const auto file = folder.write("task.json", task.dump(2));
  const auto run = folder.path() / "run";
  const test::ProcessResult result = test::optimize(file, run);
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, ContainsSubstring("not shown to be better") &&
                             ContainsSubstring(keeps ? "the new values are kept" : "the first values are kept"));
  const nlohmann::json found = test::read_result(run);
  const nlohmann::json& prompt = found["parameters"]["instructions"];
  CHECK((prompt["best"] == prompt["first"]) == !keeps);
  CHECK(test::read_text(run / "instructions.txt") == prompt["best"].get<std::string>() + "\n");
  CHECK((found["best"]["step"] == 0) == !keeps);
  CHECK((found["accuracy"]["test"]["before"] == found["accuracy"]["test"]["after"]) == !keeps);
}

TEST_CASE("a budget leaves room for the race and the confirmation, and a larger one goes on", "[cli][search]") {
  const test::TemporaryFolder folder;
  const std::filesystem::path& file = whole_run().task;
  const std::filesystem::path& whole = whole_run().run;
  REQUIRE(whole_run().result.status == 0);
  const auto calls_of = [](const std::filesystem::path& run) {
    std::int64_t sum = 0;
    const nlohmann::json found = test::read_result(run);
    for (const auto& entry : found["calls"].items()) sum += entry.value().get<std::int64_t>();
    return sum;
  };
  const std::int64_t budget = calls_of(whole) * 2 / 3;
  const auto run = folder.path() / "run";
  const test::ProcessResult result = test::optimize(file, run, {"--max-calls", std::to_string(budget)});
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  CHECK(calls_of(run) <= budget);
  const nlohmann::json found = test::read_result(run);
  CHECK(found["ending"] == "the budget is used up");
  const auto metrics = test::lines_of(test::read_text(run / "metrics.jsonl"));
  const nlohmann::json* confirmation = confirmation_in(metrics);
  const nlohmann::json& prompt = found["parameters"]["instructions"];
  CHECK((prompt["best"] != prompt["first"]) == (confirmation != nullptr && (*confirmation)["kept"] == true));

  const test::ProcessResult resumed = test::run_tgd({"optimize", "--resume", run.string(), "--max-calls", "1000000"});
  INFO(resumed.out << resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK(test::read_text(run / "metrics.jsonl") == test::read_text(whole / "metrics.jsonl"));
  CHECK(test::read_text(run / "parameters.json") == test::read_text(whole / "parameters.json"));
}
