// A run's prompt for other programs.
#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/prompts.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "support/program.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::ordered_json;

namespace {

/// A prompt with all that a language or a template could take for its own.
const std::string tricky =
    "Sort the mail: {\"a\": 1}, {{braces}}, {% block %}, {# note #}.\n\t\"Quotes\", 'single', back\\slash, $HOME, %s, ?"
    "?=, */\nGrüße, 分類 😀 \x01\x7F\xE2\x80\xAE";

/// A run folder as `tgd optimize` leaves it, at an endpoint.
fs::path write_exported_run(const test::TemporaryFolder& folder, const std::string& url, Value task = Value::object()) {
  folder.write("mails.csv", "text,label\n\"It burns, \"\"now\"\"!\",yes\nThanks,no\nHelp,yes\n");
  Value all{
      {"name", "mails"},
      {"data",
       {{"file", "../mails.csv"},
        {"inputs", {{"mail", "text"}}},
        {"target", "label"},
        {"split", {{"train", 0.4}, {"validation", 0.3}, {"test", 0.3}}}}},
      {"parameters", {{"prompt", {{"role", "instructions"}, {"value", "Sort the mail."}}}}},
      {"messages", {{{"role", "system"}, {"content", "{prompt}"}}, {{"role", "user"}, {"content", "Mail: {mail}\nAnswer:"}}}},
      {"evaluator", {{"type", "exact_match"}}},
      {"models",
       {{"student",
         {{"provider", "openai"},
          {"model", "small"},
          {"base_url", url},
          {"args", {{"temperature", 0.7}, {"max_tokens", 5}, {"seed", 1}}}}}}}};
  all.update(task);
  folder.write("run/parameters.json", Value{{"prompt", {{"data", tricky}}}}.dump());
  return folder.write("run/task.json", all.dump()).parent_path();
}

test::ProcessResult exported(const fs::path& run, const std::string& format, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"export", run.string(), "--as", format});
  return test::run_tgd(more);
}

}  // namespace

TEST_CASE("a run's prompt is exported as text and as messages", "[cli][export]") {
  const test::TemporaryFolder folder;
  const fs::path run = write_exported_run(folder, "http://localhost:1/v1");
  CHECK(test::run_tgd({"export", run.string()}).out == tricky + "\n");
  const Value messages = Value::parse(exported(run, "openai").out);
  CHECK(messages ==
        Value::array({{{"role", "system"}, {"content", tricky}}, {{"role", "user"}, {"content", "Mail: {mail}\nAnswer:"}}}));

  SECTION("with what a person has changed in it, which is said") {
    folder.write("run/prompt.txt", "My own words.\n");
    const test::ProcessResult result = test::run_tgd({"export", run.string()});
    CHECK(result.out == "My own words.\n");
    CHECK_THAT(result.err, ContainsSubstring("was edited since the run"));
  }
  SECTION("into a file") {
    const std::string file = (folder.path() / "prompt.txt").string();
    CHECK(test::run_tgd({"export", run.string(), "-o", file}).status == 0);
    CHECK(test::read_text(file) == tricky + "\n");
  }
}

TEST_CASE("the program in Python posts the bytes that tgd posts", "[cli][export]") {
  const auto python = test::find_program("python3");
  if (!python) return;
  const auto model = std::make_shared<lm::Stub>();
  model->otherwise(" yes\n");
  const test::ChatServer server(model);
  const test::TemporaryFolder folder;
  const auto more =
      GENERATE(values<Value>({Value::object(),
                              // Messages where text stands around a parameter, or nothing but an input; a key and a header.
                              {{"messages",
                                {{{"role", "user"}, {"content", {"{prompt} and {mail}", "{mail}"}}},
                                 {{"role", "assistant"}, {"content", "{mail}"}},
                                 {{"role", "user"}, {"content", "\"{mail}{mail}\""}}}}}}));
  Value task = more;
  const fs::path run = write_exported_run(folder, server.url(), task);
  const std::string mail = "It \"burns\"\n\\ 分 {prompt} \x02";
  const fs::path in = folder.write("in.jsonl", Value{{"text", mail}}.dump() + "\n");

  const test::ProcessResult predicted =
      test::run_tgd({"predict", (run / "task.json").string(), "--prompt", run.string(), "--input", in.string()});
  INFO(predicted.err);
  REQUIRE(predicted.status == 0);
  const fs::path program = folder.write("mails.py", exported(run, "python").out);
  const test::ProcessResult answered = test::run_process({*python, program.string(), mail});
  INFO(answered.err);
  CHECK(answered.status == 0);
  CHECK(answered.out == "yes\n");
  const auto requests = server.http().requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].target == requests[1].target);
  CHECK(requests[0].body == requests[1].body);
}

TEST_CASE("an endpoint that a task takes from the environment stays there", "[cli][export]") {
  const test::TemporaryFolder folder;
  const Value models{{"models",
                      {{"student",
                        {{"provider", "openai"},
                         {"model", "small"},
                         {"base_url", "${MAIL_URL}"},
                         {"api_key", "${MAIL_KEY}"},
                         {"headers", {{"X-Team", "${MAIL_TEAM}"}}}}}}}};
  const fs::path run = write_exported_run(folder, "", models);
  const auto program = [&](const char* format) {
    return test::run_tgd({"export", run.string(), "--as", format}, {.environment = {{"MAIL_URL", "http://hidden.example/v1"},
                                                                                    {"MAIL_KEY", "hidden-key"},
                                                                                    {"MAIL_TEAM", "hidden-team"}}})
        .out;
  };
  for (const char* format : {"python", "cpp"}) {
    const std::string text = program(format);
    CAPTURE(text);
    CHECK(text.find("hidden") == text.npos);
    CHECK_THAT(text, ContainsSubstring("MAIL_URL") && ContainsSubstring("MAIL_KEY") && ContainsSubstring("MAIL_TEAM"));
  }
}

TEST_CASE("the program in C++ compiles", "[cli][export]") {
  const test::TemporaryFolder folder;
  const auto url = GENERATE("http://localhost:1/v1", "${MAIL_URL}/v1");
  const fs::path run =
      write_exported_run(folder, url,
                         {{"data",
                           {{"file", "../mails.csv"},
                            {"inputs", {{"mail", "text"}, {"class", "label"}}},
                            {"split", {{"train", 0.4}, {"validation", 0.3}, {"test", 0.3}}}}},
                          {"evaluator", {{"type", "judge"}, {"messages", {{{"role", "user"}, {"content", "{prediction}"}}}}}},
                          {"messages", {{{"role", "user"}, {"content", "{prompt} {class}{mail}"}}}}});
  const test::ProcessResult text =
      test::run_tgd({"export", run.string(), "--as", "cpp"}, {.environment = {{"MAIL_URL", "http://localhost:1"}}});
  INFO(text.err);
  REQUIRE(text.status == 0);
  const fs::path file = folder.write("mails.cpp", text.out);
  std::vector<std::string> command{TGD_CXX, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"};
  std::istringstream folders(TGD_CXX_INCLUDES);
  for (std::string include; std::getline(folders, include, ':');) {
    if (!include.empty() && include != "/usr/include") command.insert(command.end(), {"-isystem", include});
  }
  command.push_back(file.string());
  const test::ProcessResult compiled = test::run_process(command);
  INFO(text.out);
  CHECK(compiled.err == "");
  CHECK(compiled.status == 0);
}

TEST_CASE("promptfoo gets the prompt and the test part", "[cli][export]") {
  const test::TemporaryFolder folder;
  folder.write("test.csv", "text,label\n\"It burns, {{now}}!\",yes\nThanks,no\n");
  const Value data{{"train", "../mails.csv"},
                   {"validation", "../mails.csv"},
                   {"test", "../test.csv"},
                   {"inputs", {{"mail", "text"}}},
                   {"target", "label"}};
  const fs::path run = write_exported_run(folder, "http://localhost:1/v1", {{"data", data}});
  const test::ProcessResult result = exported(run, "promptfoo");
  INFO(result.err);
  REQUIRE(result.status == 0);
  const Value config = Value::parse(result.out);
  CHECK(config["providers"][0]["id"] == "openai:chat:small");
  CHECK(config["providers"][0]["config"]["apiBaseUrl"] == "http://localhost:1/v1");
  CHECK(config["providers"][0]["config"]["passthrough"]["max_tokens"] == 5);
  const Value messages = Value::parse(config["prompts"][0]["raw"].get<std::string>());
  CHECK(messages[0]["content"] == "{% raw %}" + tricky + "{% endraw %}");
  CHECK(messages[1]["content"] == "Mail: {{mail}}\nAnswer:");
  REQUIRE(config["tests"].size() == 2);
  CHECK(config["tests"][0]["vars"]["mail"] == "It burns, {{now}}!");
  CHECK(config["tests"][0]["assert"][0]["type"] == "equals");
  CHECK(config["tests"][0]["assert"][0]["value"] == "yes");
}

TEST_CASE("what cannot be exported is said with what to do", "[cli][export]") {
  const test::TemporaryFolder folder;
  SECTION("no run") {
    const test::ProcessResult result = test::run_tgd({"export", folder.path().string()});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("holds no run"));
  }
  SECTION("a simulation has no endpoint, but another model can be named") {
    const fs::path run = write_exported_run(folder, "", {{"models", {{"student", "simulated"}}}});
    const test::ProcessResult result = exported(run, "python");
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("--model"));
    CHECK(exported(run, "python", {"--model", "gpt-4o-mini"}).status == 0);
  }
  SECTION("of several stages one has to be chosen") {
    Value stages = Value::array({{{"name", "facts"}, {"messages", {{{"role", "user"}, {"content", "{prompt} {mail}"}}}}},
                                 {{"name", "answer"}, {"messages", {{{"role", "user"}, {"content", "{facts} {mail}"}}}}}});
    Value task = Value::parse(test::read_text(write_exported_run(folder, "http://localhost:1/v1") / "task.json"));
    task.erase("messages");
    task["stages"] = stages;
    folder.write("run/task.json", task.dump());
    const test::ProcessResult result = exported(folder.path() / "run", "openai");
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("--stage") && ContainsSubstring("facts"));
    const Value messages = Value::parse(exported(folder.path() / "run", "openai", {"--stage", "answer"}).out);
    CHECK(messages[0]["content"] == "{facts} {mail}");
  }
}

TEST_CASE("tgd's own texts can be seen, and written for changing", "[cli][export]") {
  const test::TemporaryFolder folder;
  const std::string own = (folder.path() / "own").string();
  REQUIRE(test::run_tgd({"prompts", "--export", own}).status == 0);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(own)) files += entry.is_regular_file() ? 1 : 0;
  CHECK(files == Prompts::names().size());
  CHECK(test::read_text(fs::path(own) / "tgd_system.md") == test::read_text(test::examples / "../prompts/tgd_system.md"));
  // They are those that it reads, and what somebody has changed stays.
  CHECK_NOTHROW(Prompts().load(own));
  folder.write("own/tgd_system.md", "mine\n");
  CHECK(test::run_tgd({"prompts", "--export", own}).status == 2);
  CHECK(test::read_text(fs::path(own) / "tgd_system.md") == "mine\n");
  CHECK(test::run_tgd({"prompts", "--export", own, "--force"}).status == 0);

  CHECK(test::run_tgd({"prompts", "tgd_system"}).out == test::read_text(test::examples / "../prompts/tgd_system.md"));
  CHECK_THAT(test::run_tgd({"prompts"}).out, ContainsSubstring("tgd_system\n"));
  const test::ProcessResult unknown = test::run_tgd({"prompts", "tgd_sistem"});
  CHECK(unknown.status == 2);
  CHECK_THAT(unknown.err, ContainsSubstring("tgd_system"));
}
