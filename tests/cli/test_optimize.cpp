#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

std::set<std::string> files_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

}  // namespace

TEST_CASE("the shipped task gains at least 20 points on its test part and says what it did", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  const test::ProcessResult result = test::optimize(test::examples / "tickets/task.json", run);
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  CHECK(result.err.empty());

  const nlohmann::json figures = test::read_result(run);
  CHECK(figures["status"] == "ok");
  CHECK(figures["simulated"] == true);
  const nlohmann::json& accuracy = figures["accuracy"];
  CHECK(accuracy["test"]["after"].get<double>() - accuracy["test"]["before"].get<double>() >= 0.2);
  CHECK(accuracy["validation"]["after"].get<double>() > accuracy["validation"]["before"].get<double>());
  CHECK(accuracy["test"]["samples"].get<int>() + accuracy["validation"]["samples"].get<int>() +
            accuracy["train"]["samples"].get<int>() ==
        210);
  for (const char* purpose : {"forward", "backward", "optimize"}) CHECK(figures["calls"][purpose].get<int>() > 0);
  CHECK(figures["models"]["student"]["usage"]["prompt_tokens"].get<int>() > 0);

  CHECK_THAT(result.out, ContainsSubstring("simulated"));
  CHECK_THAT(result.out, ContainsSubstring("points"));
  CHECK_THAT(result.out, ContainsSubstring("instructions before"));
  CHECK_THAT(result.out, ContainsSubstring("instructions after"));
  CHECK_THAT(result.out, ContainsSubstring("Calls: "));
  CHECK_THAT(result.out, ContainsSubstring(run.string()));
}

TEST_CASE("the run folder holds the prompt as text and JSON, the figures, every step and the task", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const fs::path run = folder.path() / "run";
  REQUIRE(test::optimize(task, run).status == 0);

  CHECK(files_in(run) == std::set<std::string>{"calls.jsonl", "checkpoint.json", "config.json", "instructions.txt",
                                               "journal.jsonl", "metrics.jsonl", "parameters.json", "report.html",
                                               "result.json", "samples.jsonl", "task.json", "versions.jsonl"});
  const auto parameters = nlohmann::json::parse(test::read_text(run / "parameters.json"));
  const nlohmann::json figures = test::read_result(run);
  CHECK(test::read_text(run / "instructions.txt") == parameters["instructions"]["data"].get<std::string>() + "\n");
  CHECK(figures["parameters"]["instructions"]["best"] == parameters["instructions"]["data"]);
  CHECK(figures["parameters"]["instructions"]["first"] == test::shipped_task()["parameters"]["instructions"]["value"]);

  std::size_t steps = 0;
  std::size_t validations = 0;
  for (const nlohmann::json& line : test::lines_of(test::read_text(run / "metrics.jsonl"))) {
    steps += line["kind"] == "step" ? 1 : 0;
    validations += line["kind"] == "validation" ? 1 : 0;
    CHECK(line["score"].is_number());
  }
  CHECK(steps == figures["steps"].get<std::size_t>());
  CHECK(validations == 3);
}

TEST_CASE("the task in a run folder repeats the run, and a seed changes it", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const auto prompt_of = [&](const fs::path& of_task, const std::string& name, std::vector<std::string> flags = {}) {
    REQUIRE(test::optimize(of_task, folder.path() / name, std::move(flags)).status == 0);
    return test::read_text(folder.path() / name / "instructions.txt");
  };
  const std::string first = prompt_of(task, "first");
  CHECK(prompt_of(folder.path() / "first/task.json", "second") == first);
  CHECK(prompt_of(task, "third", {"--seed", "8"}) != first);
  CHECK(nlohmann::json::parse(test::read_text(folder.path() / "third/task.json"))["training"]["seed"] == 8);
}

TEST_CASE("without --run-dir the run goes below the current folder", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const std::vector<std::string> arguments{TGD_PROGRAM, "optimize", task.string(), "--epochs", "1", "-q"};
  REQUIRE(test::run_process(arguments, {.folder = folder.path()}).status == 0);
  REQUIRE(test::run_process(arguments, {.folder = folder.path()}).status == 0);
  CHECK(files_in(folder.path() / "runs").size() == 2);
  CHECK(files_in(folder.path() / "runs").begin()->starts_with("tickets-"));
}

TEST_CASE("a run never touches a folder with something in it", "[cli]") {
  const test::TemporaryFolder folder;
  folder.write("run/precious.txt", "mine");
  const test::ProcessResult result = test::optimize(test::examples / "tickets/task.json", folder.path() / "run");
  CHECK(result.status == 2);
  CHECK_THAT(result.err, ContainsSubstring("is not empty"));
  CHECK(files_in(folder.path() / "run") == std::set<std::string>{"precious.txt"});
}

TEST_CASE("a folder in which a run was killed before it began is as good as an empty one", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  REQUIRE(test::optimize(task, folder.path() / "whole", {"--epochs", "1"}).status == 0);
  const std::string journal = test::read_text(folder.path() / "whole/journal.jsonl");
  const auto first_lines = [&](int count) {
    std::size_t end = 0;
    for (int i = 0; i < count; ++i) end = journal.find('\n', end) + 1;
    return journal.substr(0, end);
  };
  folder.write("run/run.lock", "");
  folder.write("run/task.json.0123456789abcdef.tmp", "{\"na");
  SECTION("it said that it begins, and which task") {
    folder.write("run/journal.jsonl", first_lines(GENERATE(0, 1, 2)));
    CHECK(test::optimize(task, folder.path() / "run", {"--epochs", "1"}).status == 0);
    CHECK(test::read_text(folder.path() / "run/instructions.txt") == test::read_text(folder.path() / "whole/instructions.txt"));
  }
  SECTION("it came further, or the journal is none") {
    const std::string text = GENERATE_COPY(first_lines(3), "{\"my\": \"diary\"}\n{}\n" + first_lines(1),
                                           std::string("{\"my\": \"diary\"}\n"), std::string("mine"));
    folder.write("run/journal.jsonl", text);
    const test::ProcessResult result = test::optimize(task, folder.path() / "run", {"--epochs", "1"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("is not empty"));
    CHECK(test::read_text(folder.path() / "run/journal.jsonl") == text);
  }
}

TEST_CASE("quiet runs print the result only, and nothing but text where there is no terminal", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const test::ProcessResult result = test::optimize(task, folder.path() / "run", {"--quiet", "--epochs", "1"});
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, ContainsSubstring("points"));
  CHECK_THAT(result.out, !ContainsSubstring("epoch"));
  CHECK_THAT(result.out, !ContainsSubstring("\033") && !ContainsSubstring("\r"));
}

TEST_CASE("--prompts replaces tgd's own texts", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  folder.write("prompts/tgd_sytem.md", "You improve.");
  const std::vector<std::string> flags{"--epochs", "1", "--prompts", (folder.path() / "prompts").string()};
  const test::ProcessResult misspelt = test::optimize(task, folder.path() / "run", flags);
  CHECK(misspelt.status == 2);
  CHECK_THAT(misspelt.err, ContainsSubstring("--prompts") && ContainsSubstring("tgd_sytem"));
  CHECK_FALSE(fs::exists(folder.path() / "run"));

  fs::rename(folder.path() / "prompts/tgd_sytem.md", folder.path() / "prompts/tgd_system.md");
  CHECK(test::optimize(task, folder.path() / "run", flags).status == 0);
}

TEST_CASE("help, version and mistakes on the command line have the right status", "[cli]") {
  const auto run = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), TGD_PROGRAM);
    return test::run_process(arguments);
  };
  const test::ProcessResult help = run({"optimize", "--help"});
  CHECK(help.status == 0);
  CHECK_THAT(help.out, ContainsSubstring("Examples:") && ContainsSubstring("--base-url"));
  CHECK(run({"--version"}).status == 0);
  CHECK_THAT(run({"--version"}).out, ContainsSubstring("tgd "));
  CHECK(run({}).status == 2);
  CHECK(run({"optimise"}).status == 2);
  CHECK(run({"optimize"}).status == 2);
  CHECK(run({"optimize", "task.json", "--epochs", "none"}).status == 2);
  CHECK(run({"optimize", "task.json", "--epochs", "0"}).status == 2);
  const test::ProcessResult missing = run({"optimize", "no-such-task.json"});
  CHECK(missing.status == 2);
  CHECK_THAT(missing.err, ContainsSubstring("no-such-task.json"));
}
