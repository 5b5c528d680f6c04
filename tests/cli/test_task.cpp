#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/task_forms.hpp"
#include "cli/tickets.hpp"
#include "support/table.hpp"
#include "task/task.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using cli::OutputStep;

TEST_CASE("what a task is resolved to reads as the same task, from any folder", "[cli]") {
  const test::TaskFolder folder;
  const test::TemporaryFolder elsewhere;
  for (const nlohmann::json& form : test::table("cli/task_forms.json")) {
    INFO(form["name"]);
    const cli::OrderedJson resolved = cli::resolved_json(folder.parse(form["task"]));
    const std::filesystem::path file = elsewhere.write("task.json", resolved.dump(2));
    CHECK(cli::resolved_json(cli::read_task(file)) == resolved);
  }
}

TEST_CASE("a task may ask for a search", "[cli]") {
  const test::TaskFolder folder;
  const Search search = folder.parse(test::task_form("a number")).training.search;
  CHECK(search.chain == 3);
  CHECK(search.proposals == 4);
  CHECK(search.confirm == 20);
  CHECK(search.confidence == 0.8);
  CHECK(search.keep_unconfirmed);
  CHECK(folder.parse(test::task_form("fields of JSON")).training.search.chain == 0);
}

TEST_CASE("a resolved task has all settings in place and no key", "[cli]") {
  const test::TaskFolder folder;
  const cli::OrderedJson plain =
      cli::resolved_json(folder.parse(test::task_form("contained words, and nothing that has a default")));
  CHECK(plain["training"]["epochs"] == 4);
  CHECK(plain["training"]["gate"]["proposals"] == 1);
  CHECK(plain["optimizer"]["copied_words"] == 8);
  CHECK(plain["models"]["student"]["provider"] == "simulated");
  CHECK(plain["data"]["split"]["stratify"] == true);
  CHECK(plain["output"] == "text");

  const cli::OrderedJson full = cli::resolved_json(folder.parse(test::task_form("one call, with every setting")));
  CHECK(full["models"]["student"]["api_key"] == "${TGD_TEST_SECRET}");
  CHECK(full["models"]["student"]["base_url"] == "${TGD_TEST_URL}/v1");
  CHECK(full["parameters"]["question"]["value"] == "What is this about: {ticket}");
  CHECK(full["data"]["file"] == (folder.folder().path() / "tickets.jsonl").string());
  CHECK_THAT(full.dump(), !ContainsSubstring("secret word"));
}

TEST_CASE("a task says everything about its data, parameters and calls", "[cli]") {
  const test::TaskFolder folder;
  SECTION("in one call") {
    const cli::Task task = folder.parse(test::task_form("one call, with every setting"));
    CHECK(task.data.has_target());
    CHECK_FALSE(task.data.stratify);
    CHECK(task.data.seed == 3);
    REQUIRE(task.parameters.size() == 2);
    CHECK(task.parameters[0].frozen == std::vector<std::string>{"Sort", "one word"});
    CHECK(task.parameters[0].instructions == "Keep it friendly.");
    REQUIRE(task.stages.size() == 1);
    CHECK(task.stages[0].name == "answer");
    CHECK(task.stages[0].model == "student");
    CHECK(task.stages[0].messages[1].content == std::vector<std::string>{"{question}", "Now."});
    REQUIRE(task.stages[0].output.size() == 5);
    CHECK(task.stages[0].output[1].kind == OutputStep::Kind::json_pointer);
    CHECK(task.stages[0].output[1].argument == "/label");
    CHECK(task.stages[0].output[3].kind == OutputStep::Kind::lower_case);
    CHECK(task.evaluator.ignore_case);
    CHECK(task.evaluator.critique_by_lm);
  }
  SECTION("in stages") {
    const cli::Task task = folder.parse(test::task_form("stages, a judge and a file for each part"));
    CHECK(task.name == "task");
    CHECK_FALSE(task.data.has_target());
    CHECK(task.data.file.empty());
    CHECK(task.data.validation_file == folder.folder().path() / "validation.jsonl");
    REQUIRE(task.stages.size() == 2);
    CHECK(task.stages[0].model == "large");
    CHECK(task.stages[1].model == "student");
    CHECK(task.stages[1].args.contains("max_tokens"));
    CHECK(task.evaluator.type == cli::EvaluatorSpec::Type::judge);
    CHECK(task.evaluator.model == "jury");
    CHECK(task.evaluator.best_score == 5);
    CHECK(task.evaluator.args == Json{{"temperature", 0}});
    CHECK(task.models.size() == 3);
  }
}

TEST_CASE("a task says everything about its models, optimizer and limits", "[cli]") {
  const test::TaskFolder folder;
  const cli::Task task = folder.parse(test::task_form("one call, with every setting"));
  const cli::ModelSpec& student = task.models.at("student");
  CHECK(student.base_url == "http://localhost:9/v1");
  CHECK(student.api_key == "a very secret word");
  CHECK(student.max_in_flight == 8U);
  CHECK(student.tokens_per_minute == 100000);
  CHECK(student.timeout_seconds == 30.5);
  CHECK(student.reasoning == lm::Thoughts::keep);
  CHECK(student.system_role == false);
  CHECK(student.max_retries == 7);
  CHECK(student.max_retry_after_seconds == 60.5);
  CHECK(student.max_retry_time_seconds == 600.5);
  REQUIRE(student.headers.size() == 2);
  CHECK(student.headers[0].value == "Bearer a very secret word");
  CHECK(student.headers[0].source == "Bearer ${TGD_TEST_SECRET}");
  CHECK(student.secret_headers.at(0).value == "a very secret word");
  CHECK(student.query.at(0).name == "api-version");
  CHECK(student.price == lm::Price{.input = 0.15, .cached_input = 0.075, .output = 0.6});
  CHECK(task.models.at("teacher").simulated.latency == std::chrono::microseconds(1500));

  CHECK(task.optimizer.step == autograd::Step::automatic);
  CHECK(task.optimizer.joint);
  CHECK(task.optimizer.context_budget == 9000U);
  CHECK(task.optimizer.samples_per_request == 3U);
  CHECK(task.optimizer.boldness == optim::Boldness::moderate);
  CHECK(task.optimizer.max_length_ratio == 2.5);
  CHECK(task.optimizer.rejected == 4);
  CHECK(task.optimizer.copied_words == 6);
  CHECK(task.optimizer.examples.size() == 1);
  CHECK(task.optimizer.constraints.size() == 7);

  CHECK(task.training.max_steps == 7);
  CHECK(task.training.early_stopping.patience == 3);
  CHECK(task.training.gate.confidence == 0.8);
  CHECK(task.training.gate.proposals == 2);
  CHECK_FALSE(task.training.free_proposals);
  CHECK(task.budget.calls == 100);
  CHECK(task.budget.usd == 2.5);
  CHECK(task.cache == folder.folder().path() / "replies.db");
  CHECK(task.prompts == folder.folder().path() / "my-prompts");
}

TEST_CASE("a task without a name is called as its file, as far as that can be a name", "[cli]") {
  const test::TaskFolder folder;
  nlohmann::json json = test::shipped_task();
  json.erase("name");
  const std::string text = json.dump();
  const auto name_of = [&](const char* file) { return cli::read_task(folder.folder().write(file, text)).name; };
  CHECK(name_of("my first task.json") == "my_first_task");
  CHECK(name_of("2nd.json") == "nd");
  CHECK(name_of("123.json") == "task");
}

TEST_CASE("a task file that is nested too deeply is refused at its place", "[cli]") {
  const std::string deep = "{ // a comment with a \"\n\"data\": " + std::string(10'000, '[') + std::string(10'000, ']') + "}";
  CHECK_THROWS_WITH(cli::TaskDocument("task.json", deep),
                    ContainsSubstring("task.json:2:508: brackets are nested more than 500 deep here"));
}
