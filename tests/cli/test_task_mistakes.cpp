#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/task_forms.hpp"
#include "cli/tickets.hpp"
#include "support/table.hpp"
#include "task/data.hpp"
#include "task/task.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

/// What the program would say about the task; empty when it is fine.
std::string complaint_about(const fs::path& task) {
  try {
    cli::load_data(cli::read_task(task).data);
    return {};
  } catch (const cli::TaskError& error) {
    return error.what();
  }
}

/// A mistake is a text of its own, or a patch of the shipped task or of one in task_forms.json.
std::string text_of(const nlohmann::json& mistake) {
  if (mistake.contains("text")) return mistake["text"];
  const nlohmann::json task = mistake.contains("in") ? nlohmann::json(test::task_form(mistake["in"])) : test::shipped_task();
  return task.patch(mistake["patch"]).dump(2);
}

}  // namespace

TEST_CASE("the shipped task has no mistake", "[cli]") { CHECK(complaint_about(test::examples / "tickets/task.json").empty()); }

TEST_CASE("every mistake in a task file is shown with its place and what is accepted", "[cli]") {
  const test::TaskFolder files;
  const fs::path task = files.task();
  for (const nlohmann::json& mistake : test::table("cli/task_mistakes.json")) {
    files.folder().write("task.json", text_of(mistake));
    const std::string complaint = complaint_about(task);
    INFO(mistake["name"] << "\n" << complaint);
    CHECK_THAT(complaint, Catch::Matchers::StartsWith(task.string() + ":"));
    for (const std::string part : mistake["message"]) CHECK_THAT(complaint, ContainsSubstring(part));
    if (mistake.contains("silent_about")) CHECK_THAT(complaint, !ContainsSubstring(mistake["silent_about"].get<std::string>()));
  }
}

TEST_CASE("a mistake in a task ends the program with status 2 before anything is written", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  nlohmann::json json = test::shipped_task();
  json["data"]["target"] = "lable";
  folder.write("task.json", json.dump(2));
  const test::ProcessResult result = test::optimize(task, folder.path() / "run");
  CHECK(result.status == 2);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, ContainsSubstring("/data/target:") && ContainsSubstring("did you mean \"label\"?"));
  CHECK_FALSE(fs::exists(folder.path() / "run"));
}

TEST_CASE("a malformed record names its own file and line, too", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  folder.write("tickets.jsonl", "{\"text\": \"a\", \"label\": \"b\"}\n{\"text\": \"a\", \n");
  CHECK_THAT(complaint_about(task), ContainsSubstring("tickets.jsonl:2:") && ContainsSubstring("task.json:"));
}

TEST_CASE("a parameter can come from a file, hold placeholders of its own, or stand inside a message", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path file = test::write_small_task(folder);
  nlohmann::json json = test::shipped_task();
  json["parameters"] = {{"question", {{"role", "prompt"}, {"file", "first.txt"}}},
                        {"tone", {{"role", "tone"}, {"value", "kindly"}}}};
  json["messages"] = {{{"role", "user"}, {"content", "{question}"}},
                      {{"role", "user"}, {"content", {"Answer {tone}.", "Now."}}}};
  folder.write("task.json", json.dump());
  folder.write("first.txt", "Sort this: {ticket}\n");
  const cli::Task task = cli::read_task(file);
  REQUIRE(task.parameters.size() == 2);
  CHECK(task.parameters[0].value == "Sort this: {ticket}");
  CHECK(task.stages.front().messages[1].content == std::vector<std::string>{"Answer {tone}.", "Now."});
  CHECK(cli::resolved_json(task)["parameters"]["question"]["value"] == "Sort this: {ticket}");
}
