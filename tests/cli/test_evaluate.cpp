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
#include "support/http_server.hpp"

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

TEST_CASE("what is the endpoint's fault ends an evaluation, which sends no more and goes on from the cache",
          "[cli][concurrent]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder, 200);
  Value json = Value::parse(test::read_text(task));
  json["cache"] = "cache.sqlite";
  folder.write(task.filename().string(), json.dump());
  const bool is_of_judge = GENERATE(false, true);
  if (is_of_judge) {
    json["evaluator"] = {
        {"type", "judge"},
        {"messages", {{{"role", "user"}, {"content", "Is {prediction} right for {ticket}? Reply with a score as JSON."}}}}};
    folder.write(task.filename().string(), json.dump());
  }
  std::atomic<bool> is_down = true;
  std::atomic<int> asked = 0;
  const test::ChatServer server(lm::Stub::answering([&](const lm::Request& request) -> std::string {
    const bool is_judge = request.messages.back().content.find("score") != std::string::npos;
    const int n = asked++;
    if (is_down && n >= 10 && is_judge == is_of_judge) throw LMError(LMError::Kind::status, "out of money", 402);
    return is_judge ? R"({"score": 1, "explanation": "fine"})" : "billing";
  }));
  const std::vector<std::string> arguments{"evaluate",   task.string(),     "--split", "all",
                                           "--base-url", server.url(),      "--model", "stub",
                                           "--json",     "--max-in-flight", "4"};
  const test::ProcessResult ended = test::run_tgd(arguments);
  INFO(ended.err);
  CHECK(ended.status == 1);
  CHECK_THAT(ended.err, ContainsSubstring("out of money") && ContainsSubstring(", row ") && ContainsSubstring("The cache has"));
  const int before = asked.exchange(0);
  CHECK(before < (is_of_judge ? 300 : 150));
  is_down = false;
  const test::ProcessResult whole = test::run_tgd(arguments);
  REQUIRE(whole.status == 0);
  const Value result = Value::parse(whole.out);
  CHECK(result["prompts"][0]["samples"] == 200);
  CHECK(result["prompts"][0]["failed"] == 0);
  CHECK(result["cached_calls"] > 0);
}

TEST_CASE("samples that are asked about several times have a mean, and the prompt a spread", "[cli][concurrent]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder, 30);
  Value json = Value::parse(test::read_text(task));
  json["cache"] = "cache.sqlite";
  folder.write(task.filename().string(), json.dump());
  std::atomic<int> asked = 0;
  const test::ChatServer server(
      lm::Stub::answering([&](const lm::Request&) -> std::string { return asked++ % 2 == 0 ? "billing" : "none of them"; }));
  const std::string samples = (folder.path() / "samples.jsonl").string();
  const std::vector<std::string> arguments{"evaluate",   task.string(), "--split", "train",  "--base-url",
                                           server.url(), "--model",     "stub",    "--json", "--repeats",
                                           "4",          "--output",    samples,   "--force"};
  const test::ProcessResult result = test::run_tgd(arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  const Value prompt = Value::parse(result.out)["prompts"][0];
  const auto count = prompt["samples"].get<std::size_t>();
  CHECK(prompt["repeats"] == 4);
  CHECK(static_cast<std::size_t>(asked) == 4 * count);
  const std::vector<Value> rows = test::lines_of(test::read_text(samples));
  REQUIRE(rows.size() == 4 * count);
  std::map<int, double> sums;
  double sum = 0;
  for (const Value& row : rows) {
    sums[row["repeat"].get<int>()] += row["score"].get<double>() / static_cast<double>(count);
    sum += row["score"].get<double>() / static_cast<double>(rows.size());
  }
  REQUIRE(sums.size() == 4);
  CHECK(prompt["score"].get<double>() == Approx(sum));
  double squares = 0;
  for (const auto& [repeat, mean] : sums) squares += (mean - sum) * (mean - sum) / 3;
  CHECK(prompt["spread"].get<double>() * prompt["spread"].get<double>() == Approx(squares).margin(1e-12));

  // Each time has answers of its own in the cache.
  const test::ProcessResult again = test::run_tgd(arguments);
  CHECK(static_cast<std::size_t>(asked) == 4 * count);
  CHECK(Value::parse(again.out)["prompts"][0]["score"] == prompt["score"]);
}

TEST_CASE("samples that fail by their own fault are told and count as wrong; too many of them are no success", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder, 30).string();
  std::atomic<int> asked = 0;
  const test::HttpServer server([&](const test::HttpRequest&) -> test::HttpResponse {
    return {.body = asked++ == 0 ? test::completion_body("", "content_filter") : test::completion_body("billing")};
  });
  const bool is_limited = GENERATE(false, true);
  std::vector<std::string> arguments{"evaluate",           task,      "--split", "train", "--base-url",
                                     server.url() + "/v1", "--model", "m",       "--json"};
  if (is_limited) arguments.insert(arguments.end(), {"--max-failed", "0.01"});
  const test::ProcessResult result = test::run_tgd(arguments);
  CHECK(result.status == (is_limited ? 1 : 0));
  if (is_limited) CHECK_THAT(result.err, ContainsSubstring("1 of ") && ContainsSubstring("max_failed allows 1%"));
  const Value prompt = Value::parse(result.out)["prompts"][0];
  CHECK(prompt["failed"] == 1);
  CHECK(prompt["samples"] == asked.load());
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
