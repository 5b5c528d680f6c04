// Runs that do not get to their end, as a user has them: killed, interrupted, out of budget, failed.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/random.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

/// A small task whose LM takes some time, so that there is something to interrupt.
fs::path write_slow_task(const test::TemporaryFolder& folder) {
  const fs::path file = test::write_small_task(folder);
  nlohmann::json task = nlohmann::json::parse(test::read_text(file));
  task["models"]["student"] = {{"provider", "simulated"}, {"latency_ms", 15}};
  return folder.write("task.json", task.dump(2));
}

/// Runs the program, and sends it a signal some time after `file` is there, unless it has ended by then. Returns its exit status, or
/// 128 + the signal.
int run_and_signal(std::vector<std::string> arguments, int signal, const fs::path& file, std::chrono::milliseconds after) {
  test::Process program = test::start_tgd(std::move(arguments));
  while (!fs::exists(file) && !program.has_ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(after);
  program.signal(signal);
  return program.wait().status;
}

test::ProcessResult resume(const fs::path& run, std::vector<std::string> flags = {}) {
  std::vector<std::string> arguments{TGD_PROGRAM, "optimize", "--resume", run.string()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return test::run_process(arguments);
}

/// The lines of a file without what the clock says.
std::string timeless(const fs::path& file) {
  std::istringstream text(test::read_text(file));
  std::string result;
  for (std::string line; std::getline(text, line);) {
    nlohmann::json value = nlohmann::json::parse(line);
    value.erase("seconds");
    result += value.dump() + "\n";
  }
  return result;
}

void check_same_run(const fs::path& run, const fs::path& other) {
  for (const char* name : {"instructions.txt", "parameters.json", "metrics.jsonl"})
    CHECK(test::read_text(run / name) == test::read_text(other / name));
  for (const char* name : {"versions.jsonl", "samples.jsonl"}) CHECK(timeless(run / name) == timeless(other / name));
  CHECK(test::read_result(run)["accuracy"] == test::read_result(other)["accuracy"]);
  CHECK(test::read_result(run)["cost"] == test::read_result(other)["cost"]);
}

}  // namespace

TEST_CASE("a run that is killed again and again and resumed is the run that was left alone", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = write_slow_task(folder);
  REQUIRE(test::optimize(task, folder.path() / "whole").status == 0);
  const fs::path run = folder.path() / "run";
  Random random(5);
  const auto begin = std::chrono::milliseconds(100);
  int status = run_and_signal({"optimize", task.string(), "--run-dir", run.string()}, SIGKILL, run / "task.json", begin);
  for (int kill = 0; kill < 6 && status != 0; ++kill) {
    const auto after = std::chrono::milliseconds(60 + static_cast<int>(random.random() * 200));
    status = run_and_signal({"optimize", "--resume", run.string()}, SIGKILL, run / "task.json", after);
  }
  REQUIRE(resume(run).status == 0);
  check_same_run(run, folder.path() / "whole");
}

TEST_CASE("Ctrl-C saves the run, says how to go on, and has a status of its own", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = write_slow_task(folder);
  REQUIRE(test::optimize(task, folder.path() / "whole").status == 0);
  const fs::path run = folder.path() / "run";
  const int status = run_and_signal({"optimize", task.string(), "--run-dir", run.string(), "--max-in-flight", "4"}, SIGINT,
                                    run / "metrics.jsonl", std::chrono::milliseconds(50));
  REQUIRE(status == 130);
  CHECK(test::read_result(run)["status"] == "interrupted");
  REQUIRE(resume(run).status == 0);
  check_same_run(run, folder.path() / "whole");
}

TEST_CASE("a budget ends a run with the outcome measured, and a larger one lets it go on", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  REQUIRE(test::optimize(task, folder.path() / "whole").status == 0);
  const fs::path run = folder.path() / "run";
  const test::ProcessResult ended = test::optimize(task, run, {"--max-calls", "140"});
  INFO(ended.out << ended.err);
  REQUIRE(ended.status == 0);
  const nlohmann::json result = test::read_result(run);
  CHECK_THAT(result["ending"].get<std::string>(), ContainsSubstring("budget"));
  CHECK(result["accuracy"]["test"]["after"].is_number());
  CHECK(result["cost"]["total"]["usage"]["attempts"].get<int>() <= 140);
  CHECK(result["steps"].get<int>() < test::read_result(folder.path() / "whole")["steps"].get<int>());

  REQUIRE(resume(run, {"--max-calls", "10000"}).status == 0);
  for (const char* name : {"instructions.txt", "metrics.jsonl"})
    CHECK(test::read_text(run / name) == test::read_text(folder.path() / "whole" / name));
}

TEST_CASE("a run whose endpoint went away goes on where it was", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  REQUIRE(test::optimize(task, folder.path() / "whole").status == 0);

  // It fails for good in the middle of the run.
  lm::Simulated simulated;
  std::atomic<int> calls = 0;
  std::atomic<bool> is_broken = false;
  const auto model = lm::Stub::answering_in_full([&](const lm::Request& request) {
    if (is_broken || ++calls == 100) is_broken = true;
    if (is_broken) throw LMError(LMError::Kind::status, "the disk is full", 403);
    return simulated.chat(request);
  });
  const test::ChatServer server(model);
  const fs::path run = folder.path() / "run";
  const test::ProcessResult failed = test::optimize(task, run, {"--base-url", server.url(), "--model", "simulated"});
  REQUIRE(failed.status == 1);
  CHECK_THAT(failed.out, ContainsSubstring("go on with: tgd optimize --resume " + run.string()));
  CHECK(test::read_result(run)["status"] == "failed");

  is_broken = false;
  REQUIRE(resume(run).status == 0);
  for (const char* name : {"instructions.txt", "metrics.jsonl"})
    CHECK(test::read_text(run / name) == test::read_text(folder.path() / "whole" / name));
}

TEST_CASE("what a gate has measured is known after a kill at any call, and part of the outcome", "[cli]") {
  const test::TemporaryFolder folder;
  nlohmann::json task = nlohmann::json::parse(test::read_text(test::write_small_task(folder)));
  task["training"]["epochs"] = 1;
  task["training"].erase("validate_every");
  task["training"]["gate"] = {{"confidence", 0.6}};
  const fs::path file = folder.write("task.json", task.dump(2));
  // Answers so many calls, and holds up those after them.
  lm::Simulated simulated;
  std::atomic<int> calls = 0;
  std::atomic<int> answered = std::numeric_limits<int>::max();
  std::atomic<bool> is_over = false;
  const auto model = lm::Stub::answering_in_full([&](const lm::Request& request) {
    if (++calls > answered)
      while (!is_over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return simulated.chat(request);
  });
  const test::ChatServer server(model);
  const std::vector<std::string> flags{"--base-url", server.url(), "--model", "simulated"};
  REQUIRE(test::optimize(file, folder.path() / "whole", flags).status == 0);
  const auto metrics = test::lines_of(test::read_text(folder.path() / "whole/metrics.jsonl"));
  REQUIRE(std::any_of(metrics.begin(), metrics.end(), [](const nlohmann::json& line) {
    return line.contains("gate") && line["gate"].is_object() && line["gate"]["accepted"] == true;
  }));
  const int all = calls;
  for (int last = all / 2; last < all * 5 / 6; last += all / 12) {  // around the decision
    INFO("killed after " << last << " of " << all << " calls");
    calls = 0;
    answered = last;
    is_over = false;
    const fs::path run = folder.path() / std::to_string(last);
    std::vector<std::string> arguments{"optimize", file.string(), "--run-dir", run.string()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    test::Process program = test::start_tgd(arguments);
    while (calls <= last && !program.has_ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    program.signal(SIGKILL);
    CHECK(program.wait().status == 128 + SIGKILL);
    is_over = true;
    answered = std::numeric_limits<int>::max();
    REQUIRE(resume(run).status == 0);
    check_same_run(run, folder.path() / "whole");
  }
}

TEST_CASE("resuming what is no run is a mistake with a cure", "[cli]") {
  const test::TemporaryFolder folder;
  CHECK_THAT(resume(folder.path() / "none").err, ContainsSubstring("there is no folder"));
  CHECK_THAT(resume(folder.path()).err, ContainsSubstring("holds no run"));
  CHECK(resume(folder.path()).status == 2);
  const test::ProcessResult both =
      test::run_process({TGD_PROGRAM, "optimize", "task.json", "--resume", folder.path().string()});
  CHECK(both.status == 2);
  CHECK_THAT(both.err, ContainsSubstring("either a task file or --resume"));
}

TEST_CASE("--json prints one document, and what else is said goes to standard error", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const test::ProcessResult result = test::optimize(task, folder.path() / "run", {"--json", "--epochs", "1"});
  REQUIRE(result.status == 0);
  CHECK(nlohmann::json::parse(result.out) == test::read_result(folder.path() / "run"));
  CHECK_THAT(result.err, ContainsSubstring("epoch 1"));
}
