#include <atomic>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "run/prompt_spec.hpp"
#include "support/chat_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::json;

TEST_CASE("evaluate measures prompts side by side, the others compared with the first", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const fs::path run = folder.path() / "run";
  REQUIRE(test::optimize(task, run).status == 0);
  const std::string samples = (folder.path() / "samples.jsonl").string();

  const std::vector<std::string> arguments{"evaluate", task,         "--prompt", "first",
                                           "--prompt", run.string(), "--output", samples};
  std::vector<std::string> for_programs = arguments;
  for_programs.push_back("--json");
  const test::ProcessResult result = test::run_tgd(for_programs);
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  const Value figures = Value::parse(result.out);
  const Value accuracy = test::read_result(run)["accuracy"]["test"];
  REQUIRE(figures["prompts"].size() == 2);
  const Value& best = figures["prompts"][1];
  CHECK(figures["prompts"][0]["score"] == accuracy["before"]);
  CHECK(best["score"] == accuracy["after"]);
  CHECK(best["p_value"] == accuracy["p_value"]);
  CHECK(best["values"]["instructions"] == test::read_result(run)["parameters"]["instructions"]["best"]);
  const double gained = best["fixed"].get<double>() - best["broken"].get<double>();
  CHECK(best["difference"].get<double>() == Approx(gained / best["samples"].get<double>()));
  CHECK(figures["calls"]["forward"] == 2 * best["samples"].get<int>());

  std::istringstream lines(test::read_text(samples));
  std::map<std::string, double> right;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Value sample = Value::parse(line);
    right[sample["prompt"]] += sample["score"].get<double>();
    CHECK((sample["prediction"] == sample["target"]) == (sample["score"] == 1));
  }
  CHECK(count == 2 * best["samples"].get<std::size_t>());
  CHECK(right["first"] / best["samples"].get<double>() == Approx(accuracy["before"].get<double>()));

  const test::ProcessResult refused = test::run_tgd(arguments);
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, ContainsSubstring("--force"));
  const test::ProcessResult table =
      test::run_tgd({"evaluate", task, "--split", "all", "--prompt", "first", "--prompt", run.string()});
  REQUIRE(table.status == 0);
  CHECK_THAT(table.out,
             ContainsSubstring("fixed") && ContainsSubstring("points") && ContainsSubstring("60") && ContainsSubstring("p "));
}

TEST_CASE("samples that fail are told, and what was measured is shown all the same", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder, 30).string();
  std::atomic<int> asked = 0;
  const test::ChatServer server(lm::Stub::answering([&](const lm::Request&) -> std::string {
    if (asked++ == 0) throw LMError(LMError::Kind::status, "not this one", 400);
    return "billing";
  }));
  const test::ProcessResult result =
      test::run_tgd({"evaluate", task, "--split", "train", "--base-url", server.url(), "--model", "stub", "--json"});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("1 sample failed"));
  const Value prompt = Value::parse(result.out)["prompts"][0];
  CHECK(prompt["failed"] == 1);
  CHECK(prompt["samples"] == asked - 1);
  CHECK(prompt["score"].is_number());
}

TEST_CASE("prompts come from the task, a run, a state, a text or a text for one parameter", "[cli]") {
  const test::TemporaryFolder folder;
  const auto in = [&](const std::string& name) { return (folder.path() / name).string(); };
  cli::Task task = cli::read_task(test::write_small_task(folder));
  const std::string first = task.parameters[0].value;
  const std::string state = R"({"instructions": {"data": "better", "role": "r", "requires_grad": true}})";
  folder.write("run/parameters.json", state);
  folder.write("checkpoint.json", R"({"tgd_checkpoint": 1, "state": )" + state + "}");
  folder.write("text.txt", "\n  my text \n");
  const auto values = [&](const std::string& spec) { return cli::read_prompt(spec, task).values; };
  const auto only = [](const std::string& value) { return cli::NamedValues{{"instructions", value}}; };

  CHECK(values("first") == only(first));
  CHECK(values(in("run")) == only("better"));
  CHECK(values(in("run/parameters.json")) == only("better"));
  CHECK(values(in("checkpoint.json")) == only("better"));
  CHECK(values(in("text.txt")) == only("my text"));
  CHECK(values("instructions=" + in("text.txt")) == only("my text"));

  SECTION("of several parameters a text changes the one that it is for") {
    task.parameters.push_back({"tone", "the tone", "friendly"});
    CHECK(values("tone=" + in("text.txt")) == cli::NamedValues{{"instructions", first}, {"tone", "my text"}});
    CHECK_THROWS_WITH(values(in("text.txt")), ContainsSubstring("several parameters"));
    CHECK_THROWS_WITH(values(in("run")), ContainsSubstring("no value for the parameter \"tone\""));
  }
  SECTION("what cannot be one is refused with the reason") {
    folder.write("empty.txt", " \n");
    folder.write("list.json", "[]");
    folder.write("other.json", R"({"instruction": {"data": "x"}})");
    folder.write("numbers.json", R"({"instructions": {"data": 1}})");
    folder.write("young/task.json", "{}");
    fs::create_directory(folder.path() / "folder");
    CHECK_THROWS_WITH(values(in("none.txt")), ContainsSubstring("there is no such file"));
    CHECK_THROWS_WITH(values(in("empty.txt")), ContainsSubstring("empty"));
    CHECK_THROWS_WITH(values(in("list.json")), ContainsSubstring("no JSON object"));
    CHECK_THROWS_WITH(values(in("other.json")), ContainsSubstring("did you mean \"instructions\"?"));
    CHECK_THROWS_WITH(values(in("numbers.json")), ContainsSubstring("\"data\""));
    CHECK_THROWS_WITH(values(in("folder")), ContainsSubstring("holds no run"));
    CHECK_THROWS_WITH(values(in("young")), ContainsSubstring("checkpoint.json"));
    CHECK_THROWS_WITH(values("instrucions=" + in("text.txt")), ContainsSubstring("did you mean \"instructions\"?"));
    CHECK_THROWS_WITH(values("instructions=" + in("none.txt")), ContainsSubstring("there is no file"));
  }
}
