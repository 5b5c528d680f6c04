// Samples that fail by their own fault, in each command.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "support/http_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Value = nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// 20 mails; the one named "bad" stands in row 13, line 15.
std::string mails() {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += Value{{"mail", i == 13 ? "bad" : "mail " + std::to_string(i)}, {"label", "yes"}}.dump() + "\n";
    if (i == 5) text += "\n";
  }
  return text;
}

Value task() {
  return {{"data",
           {{"file", "mails.jsonl"},
            {"inputs", {{"mail", "mail"}}},
            {"target", "label"},
            {"split", {{"train", 0.4}, {"validation", 0.3}, {"test", 0.3}}}}},
          {"parameters", {{"instructions", {{"role", "instructions"}, {"value", "Answer."}}}}},
          {"messages", {{{"role", "system"}, {"content", "{instructions}"}}, {{"role", "user"}, {"content", "{mail}"}}}},
          {"output", {{"regex", "(?i)(yes|no|half).*"}}},
          {"evaluator", {{"type", "exact_match"}}},
          {"training", {{"epochs", 1}, {"batch_size", 4}}}};
}

/// An endpoint that answers "no" until the prompt is better, and the bad mail as the test says, wherever it is shown to it.
class Endpoint {
 public:
  explicit Endpoint(const std::string& how)
      : server_([how](const test::HttpRequest& request) -> test::HttpResponse {
          const lm::Request asked = test::parse_chat_request(request.body);
          const std::string& system = asked.messages.front().content;
          const std::string& last = asked.messages.back().content;
          const bool is_bad = last == "bad" || (how == "filtered" && last.find("\nbad\n") != last.npos);
          if (system.find("IMPROVED_VALUE") != system.npos || last.find("IMPROVED_VALUE") != last.npos)
            return {.body = test::completion_body("<IMPROVED_VALUE>Say yes.</IMPROVED_VALUE>")};
          if (is_bad && how == "filtered")
            return {.status = 400, .body = R"({"error": {"message": "against the policy", "code": "content_filter"}})"};
          if (is_bad && how == "refused")
            return {.body =
                        R"({"choices": [{"message": {"content": null, "refusal": "I will not."}, "finish_reason": "stop"}]})"};
          if (is_bad && how == "cut") return {.body = test::completion_body("half a", "length")};
          if (is_bad && how == "unreadable") return {.body = test::completion_body("perhaps")};
          if (is_bad && how == "turned down") return {.status = 400, .body = test::error_body("Bad Request", "bad_request")};
          if (is_bad && how == "outage") return {.status = 401, .body = test::error_body("no such key")};
          if (last == "bad" || last.rfind("mail ", 0) == 0)
            return {.body = test::completion_body(system == "Say yes." ? "yes" : "no")};
          return {.body = test::completion_body("Ask for yes.")};
        }) {}

  std::vector<std::string> flags() const { return {"--base-url", server_.url() + "/v1", "--model", "m", "--max-retries", "0"}; }

 private:
  test::HttpServer server_;
};

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

struct Project {
  explicit Project(Value given = task()) {
    folder.write("mails.jsonl", mails());
    file = folder.write("task.json", given.dump(2));
  }
  test::TemporaryFolder folder;
  fs::path file;
};

}  // namespace

TEST_CASE("one sample that fails by its own fault does not end a command; it counts as wrong and is named", "[cli][problem]") {
  const std::string how = GENERATE("filtered", "refused", "turned down", "cut", "unreadable");
  INFO(how);
  const Project project;
  const Endpoint endpoint(how);
  const std::string kind = how == "turned down" ? "refused" : how;
  const std::string says = how == "filtered"      ? "filter"
                           : how == "refused"     ? "refused"
                           : how == "turned down" ? "turned the request down"
                           : how == "cut"         ? "cut"
                                                  : "cannot be read";

  SECTION("predict") {
    const auto result =
        test::run_tgd(with({"predict", project.file, "--input", project.folder.path() / "mails.jsonl"}, endpoint.flags()));
    INFO(result.err);
    CHECK(result.status == 0);
    const std::vector<Value> rows = test::lines_of(result.out);
    REQUIRE(rows.size() == 20);
    CHECK_THAT(rows[13]["problem"].get<std::string>(), ContainsSubstring(says));
    CHECK(rows[13]["prediction"] == (how == "unreadable" ? Value("perhaps") : Value()));
    CHECK(rows[13].contains("error") == (how != "unreadable"));
    CHECK_FALSE(rows[12].contains("problem"));
    CHECK_THAT(result.err, ContainsSubstring("1 sample failed (1 " + kind + ")"));
  }
  SECTION("evaluate") {
    const auto output = project.folder.path() / "out.jsonl";
    const auto result =
        test::run_tgd(with({"evaluate", project.file, "--split", "all", "--output", output, "--json"}, endpoint.flags()));
    INFO(result.err);
    CHECK(result.status == 0);
    const Value prompt = Value::parse(result.out)["prompts"][0];
    CHECK(prompt["samples"] == 20);
    CHECK(prompt["failed"] == 1);
    CHECK(prompt["problems"] == Value{{kind, 1}});
    const std::vector<Value> rows = test::lines_of(test::read_text(output));
    const auto bad = std::find_if(rows.begin(), rows.end(), [](const Value& row) { return row["row"] == 13; });
    REQUIRE(bad != rows.end());
    CHECK((*bad)["score"] == 0.0);
    CHECK_THAT((*bad)["problem"].get<std::string>(), ContainsSubstring(says));
  }
  SECTION("optimize, and go on") {
    const fs::path run = project.folder.path() / "run";
    const auto result = test::optimize(project.file, run, endpoint.flags());
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    CHECK_THAT(result.out,
               ContainsSubstring("1 sample failed (1 " + kind + ") and count") && ContainsSubstring("row 13 of the "));
    CHECK(test::read_result(run)["problems"] == Value{{kind, 1}});
    CHECK(test::read_text(run / "instructions.txt") == "Say yes.\n");
    bool is_noted = false;
    for (const Value& line : test::lines_of(test::read_text(run / "samples.jsonl")))
      is_noted = is_noted || (line.contains("problems") && line["problems"]["13"]["kind"] == kind);
    CHECK(is_noted);
    CHECK(test::run_tgd({"optimize", "--resume", run}).status == 0);
  }
}

TEST_CASE("a task can say that no sample may fail, and that only some may", "[cli][problem]") {
  const std::string how = GENERATE("filtered", "refused", "cut", "unreadable");
  INFO(how);
  Value json = task();
  const Endpoint endpoint(how);
  SECTION("on_error of the task") { json["on_error"] = "fail"; }
  SECTION("on_error of a stage") {
    json["stages"] = {{{"name", "reply"}, {"messages", json["messages"]}, {"output", json["output"]}, {"on_error", "fail"}}};
    json.erase("messages");
    json.erase("output");
  }
  SECTION("a share") { json["training"]["max_failed"] = 0.01; }
  const Project project(json);
  const fs::path run = project.folder.path() / "run";
  const auto result = test::optimize(project.file, run, endpoint.flags());
  INFO(result.out);
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("mails.jsonl, row 13 (line 15)"));
}

TEST_CASE("a reply that the task's own limit has cut is a wrong answer and no failure", "[cli][problem]") {
  Value json = task();
  json["training"]["max_failed"] = 0;
  json["models"] = {{"student", {{"provider", "openai"}, {"model", "m"}, {"args", {{"max_tokens", 2}}}}}};
  const Project project(json);
  const Endpoint endpoint("cut");
  const fs::path run = project.folder.path() / "run";
  const auto result = test::optimize(project.file, run, endpoint.flags());
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  CHECK(test::read_result(run)["problems"] == Value{{"cut_by_task", 1}});
}

TEST_CASE(
    "a request that is turned down without a reason is the sample's fault where others are answered, and the endpoint's where "
    "none is",
    "[cli][problem][concurrent]") {
  const std::string in_flight = GENERATE("2", "8");
  const std::string body = GENERATE("", "Bad Request", R"({"detail": "There was an error parsing the body"})",
                                    R"({"error": {"message": "1 validation error", "type": "BadRequestError", "code": 400}})");
  const int status = GENERATE(400, 422);
  const bool are_all_turned_down = GENERATE(false, true);
  const Project project;
  std::string rows;
  for (const char* mail : {"bad", "a", "b", "c", "bad", "bad", "d", "e"}) rows += Value{{"mail", mail}}.dump() + "\n";
  const fs::path input = project.folder.write("new.jsonl", rows);
  const test::HttpServer server([&](const test::HttpRequest& request) -> test::HttpResponse {
    const bool is_bad = test::parse_chat_request(request.body).messages.back().content == "bad";
    if (is_bad || are_all_turned_down) return {.status = status, .body = body};
    return {.body = test::completion_body("yes")};
  });
  const auto result = test::run_tgd({"predict", project.file, "--input", input, "--base-url", server.url() + "/v1", "--model",
                                     "m", "--max-in-flight", in_flight});
  INFO(result.out << result.err);
  const std::vector<Value> answers = test::lines_of(result.out);
  if (are_all_turned_down) {
    CHECK(result.status == 1);
    CHECK(answers.empty());
    CHECK_THAT(result.err, ContainsSubstring("0 rows are done") && ContainsSubstring(std::to_string(status)));
    return;
  }
  CHECK(result.status == 0);
  REQUIRE(answers.size() == 8);
  for (std::size_t i = 0; i < answers.size(); ++i) CHECK(answers[i].contains("error") == (i == 0 || i == 4 || i == 5));
  CHECK_THAT(answers[0].value("error", ""), ContainsSubstring(std::to_string(status)));
  CHECK(server.request_count() == 8);
}

TEST_CASE("a fault of the endpoint ends a run whatever the task says", "[cli][problem]") {
  const Project project;
  const Endpoint endpoint("outage");
  const auto result = test::optimize(project.file, project.folder.path() / "run", endpoint.flags());
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("no such key") && ContainsSubstring("mails.jsonl, row 13 (line 15)"));
}
