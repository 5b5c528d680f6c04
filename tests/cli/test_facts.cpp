// What a task's training part tells without a call: the form of right answers, and what is tried before the first step.
#include <algorithm>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "task/facts.hpp"
#include "task/models.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;

namespace {

/// Three parts of a task about desks; the labels of the training part are two, those of the others three.
nlohmann::json desks_task() {
  return {{"data",
           {{"train", "train.jsonl"},
            {"validation", "rest.jsonl"},
            {"test", "rest.jsonl"},
            {"inputs", {{"text", "text"}}},
            {"target", "desk"}}},
          {"parameters", {{"prompt", {{"role", "system prompt"}, {"value", "Which desk?"}}}}},
          {"messages", {{{"role", "system"}, {"content", "{prompt}"}}, {{"role", "user"}, {"content", "{text}"}}}},
          {"evaluator", {{"type", "exact_match"}}}};
}

struct DeskTask {
  explicit DeskTask(const nlohmann::json& json)
      : task(cli::read_task(written(json))),
        data(cli::load_data(task.data)),
        models(cli::make_models(task, {})),
        agent(task, models.by_name, Prompts()) {}

  std::filesystem::path written(const nlohmann::json& json) const {
    folder.write("train.jsonl",
                 "{\"text\": \"late parcel\", \"desk\": \"shipping\"}\n{\"text\": \"charged twice\", \"desk\": \"billing\"}\n"
                 "{\"text\": \"lost\", \"desk\": \"shipping\"}\n{\"text\": \"refund\", \"desk\": \"billing\"}\n"
                 "{\"text\": \"also in another part\", \"desk\": \"billing\"}\n");
    folder.write(
        "rest.jsonl",
        "{\"text\": \"cannot log in\", \"desk\": \"account\"}\n{\"text\": \"also in another part\", \"desk\": \"billing\"}\n");
    return folder.write("task.json", json.dump(2));
  }

  std::vector<FirstProposal> proposals() const { return cli::first_proposals(task, data, agent, {}); }

  test::TemporaryFolder folder;
  cli::Task task;
  cli::TaskData data;
  cli::Models models;
  cli::TaskAgent agent;
};

}  // namespace

TEST_CASE("first proposals are made of the training part, and of no text that is in another one", "[cli][facts]") {
  const DeskTask desks(desks_task());
  const auto proposals = desks.proposals();
  REQUIRE(proposals.size() == 3);
  CHECK(proposals[0].name == "form");
  CHECK(proposals[0].values.at(0).value ==
        "Which desk?\n\nReply with exactly one of these and nothing else: billing, shipping.");
  CHECK(proposals[1].name == "4 examples");
  for (const FirstProposal& proposal : proposals) {
    const std::string& value = proposal.values.at(0).value;
    CHECK_THAT(value, !ContainsSubstring("account") && !ContainsSubstring("log in") && !ContainsSubstring("another part"));
  }
}

TEST_CASE("facts are those of the training part, and how the program reads a reply", "[cli][facts]") {
  nlohmann::json json = desks_task();
  json["output"] = {{{"json_pointer", "/desk"}}, "lower_case"};
  const DeskTask desks(json);
  CHECK(to_string(optim::diagnose({}, cli::known_facts(desks.task, desks.data, {}))) ==
        "Every right answer is exactly one of these: billing, shipping.\n"
        "The program takes the answer out of the JSON in the reply, at /desk.\n"
        "The program puts the answer into lower case before it compares it.");
  CHECK_THAT(
      desks.proposals().at(0).values.at(0).value,
      EndsWith(
          "Reply with one JSON object such as {\"desk\":\"shipping\"} and nothing else. The value of \"desk\" is exactly one "
          "of these: billing, shipping."));
}

TEST_CASE("of several stages the last one's prompt is proposed for, without examples where others come before it",
          "[cli][facts]") {
  nlohmann::json json = desks_task();
  json["parameters"]["plan"] = {{"role", "plan"}, {"value", "Plan."}};
  json.erase("messages");
  json["stages"] = {
      {{"name", "facts"},
       {"messages", {{{"role", "system"}, {"content", "{plan}"}}, {{"role", "user"}, {"content", "{text}"}}}}},
      {{"name", "answer"},
       {"messages", {{{"role", "system"}, {"content", "{prompt}"}}, {{"role", "user"}, {"content", "{text} {facts}"}}}}}};
  const DeskTask desks(json);
  const auto proposals = desks.proposals();
  REQUIRE(proposals.size() == 1);
  CHECK(proposals[0].values.at(0).parameter.text() == "Which desk?");
}

TEST_CASE("nothing is tried first where that is not wanted, or nothing is known", "[cli][facts]") {
  nlohmann::json json = desks_task();
  SECTION("not wanted") { json["training"]["free_proposals"] = false; }
  SECTION("a pattern hides what a reply is") { json["output"] = {{{"regex", "desk: (\\w+)"}}}; }
  CHECK(DeskTask(json).proposals().empty());
}

TEST_CASE("examples are as many as a constraint lets in", "[cli][facts]") {
  nlohmann::json json = desks_task();
  json["optimizer"]["constraints"] = {{{"max_length", 100}}};
  const DeskTask desks(json);
  const auto proposals = desks.proposals();
  CHECK(std::any_of(proposals.begin(), proposals.end(), [](const auto& proposal) { return proposal.name == "2 examples"; }));
}

TEST_CASE("a run tries what code can write before its first step, and keeps what is better", "[cli][facts]") {
  const test::TemporaryFolder folder;
  nlohmann::json task = test::shipped_task();
  task["data"]["file"] = (test::examples / "tickets/tickets.jsonl").string();
  task["parameters"]["instructions"]["value"] = "Read the message.";
  task["training"]["epochs"] = 1;
  task["training"]["max_steps"] = 1;
  const auto file = folder.write("task.json", task.dump(2));
  const auto run = folder.path() / "run";
  const test::ProcessResult result = test::optimize(file, run, {"--record"});
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, ContainsSubstring("first proposals: form ") && ContainsSubstring("(taken)") &&
                             ContainsSubstring("What the test part still lacks") &&
                             ContainsSubstring("  Every right answer is exactly one of these: account, billing, cancellation"));
  const auto metrics = test::lines_of(test::read_text(run / "metrics.jsonl"));
  REQUIRE(metrics.size() == 5);  // the race does not count for max_steps: a step follows
  CHECK(metrics[1]["kind"] == "race");
  CHECK(metrics[1]["accepted"] == true);
  CHECK(metrics[2]["score"].get<double>() > metrics[0]["score"].get<double>());
  CHECK(metrics[3]["kind"] == "step");
  CHECK_THAT(test::read_text(run / "instructions.txt"), ContainsSubstring("Read the message.\n\n"));
  CHECK(test::read_result(run)["diagnosis"]["form"]["kind"] == "labels");
  const auto versions = test::lines_of(test::read_text(run / "versions.jsonl"));
  REQUIRE(versions.size() == 3);
  CHECK(versions[1]["parameters"]["instructions"]["outcome"] == "updated");

  const test::ProcessResult replayed = test::run_tgd({"replay", run.string()});
  INFO(replayed.out << replayed.err);
  CHECK(replayed.status == 0);
}

TEST_CASE("check says what is known without a call, and what a run will try first", "[cli][facts]") {
  const DeskTask desks(desks_task());
  const test::ProcessResult result = test::run_tgd({"check", (desks.folder.path() / "task.json").string(), "--no-calls"});
  INFO(result.out << result.err);
  CHECK_THAT(result.out, ContainsSubstring("  facts  Every right answer is exactly one of these: billing, shipping.\n") &&
                             ContainsSubstring("  first  tries form, 4 examples, form and 4 examples\n"));
}
