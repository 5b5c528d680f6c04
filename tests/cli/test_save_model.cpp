// What the command line names comes into the task file, and nothing else of it changes.
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "task/document_edit.hpp"
#include "task/task.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::json;

TEST_CASE("a member is replaced or added, and all else of a document stays as a person wrote it", "[cli]") {
  struct Case {
    std::string before;
    std::string after;
  };
  const Case the =
      GENERATE(Case{R"({"models": {"student": "simulated"}})", R"({"models": "NEW"})"},
               Case{"{ // first {\n  \"a\": 1, /* \"models\": 2, */\n  \"models\" : { \"student\": \"}\\\"\" } , // why\n  "
                    "\"b\": [{}]\n}\n",
                    "{ // first {\n  \"a\": 1, /* \"models\": 2, */\n  \"models\" : \"NEW\" , // why\n  \"b\": [{}]\n}\n"},
               Case{"{\"b\": {\"models\": 1}, \"mod\\u0065ls\": 7 }", "{\"b\": {\"models\": 1}, \"mod\\u0065ls\": \"NEW\" }"},
               Case{"{\n\t\"a\": [1, 2]\n}\n", "{\n\t\"a\": [1, 2],\n\t\"models\": \"NEW\"\n}\n"},
               Case{"{\r\n  \"a\": 1, \"b\": \"x\" // its end\r\n}",
                    "{\r\n  \"a\": 1, \"b\": \"x\", // its end\r\n  \"models\": \"NEW\"\r\n}"},
               Case{R"({"a": true})", R"({"a": true, "models": "NEW"})"}, Case{"{}", R"({"models": "NEW"})"},
               Case{"// only\n{\n}\n", "// only\n{\"models\": \"NEW\"\n}\n"});
  CHECK(cli::with_member(the.before, "models", "NEW") == the.after);
}

TEST_CASE("--save-model writes the models that have answered into the task, and none that have not", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder, 12);
  const test::ChatServer server(lm::Stub::answering([](const lm::Request&) { return "billing"; }));
  const std::string before = "// mine\n" + test::read_text(task);
  const auto run = [&](std::vector<std::string> flags) {
    static int number = 0;
    flags.insert(flags.begin(), {"--base-url", server.url(), "--model", "m-1"});
    return test::optimize(task, folder.path() / ("run" + std::to_string(number++)), flags);
  };
  const std::string mark = GENERATE("", "\xEF\xBB\xBF");
  folder.write("task.json", mark + before);

  SECTION("written when the run has ended well") {
    const test::ProcessResult result = run({"--save-model"});
    INFO(result.out << result.err);
    REQUIRE(result.status == 0);
    CHECK_THAT(result.out, ContainsSubstring("names these models from now on: student openai/m-1"));
    const std::string text = test::read_text(task);
    CHECK(text.starts_with(mark + "// mine\n"));
    CHECK_THAT(text, ContainsSubstring("\"base_url\":\"" + server.url() + "\""));
    Value now = Value::parse(text.substr(mark.size()), nullptr, true, true);
    Value then = Value::parse(before, nullptr, true, true);
    CHECK(now["models"] == Value{{"student", {{"provider", "openai"}, {"model", "m-1"}, {"base_url", server.url()}}}});
    now.erase("models");
    then.erase("models");
    CHECK(now == then);
    const test::ProcessResult again = test::run_tgd({"evaluate", task.string()});
    CHECK(again.status == 0);
    CHECK_THAT(again.err, !ContainsSubstring("WARNING"));
  }
  SECTION("offered where it was not asked for") {
    const test::ProcessResult result = run({});
    CHECK_THAT(result.out, ContainsSubstring("--save-model writes them there"));
    CHECK(test::read_text(task) == mark + before);
  }
  SECTION("not written when nothing answered") {
    CHECK(test::optimize(task, folder.path() / "failed",
                         {"--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--max-retries", "0", "--save-model"})
              .status == 1);
    CHECK(test::read_text(task) == mark + before);
  }
  SECTION("refused before anything is sent: a URL with credentials, nothing to save, a run that goes on") {
    struct Refused {
      std::vector<std::string> flags;
      std::string said;
    };
    for (const Refused& refused : {Refused{{"--base-url", "http://u:secret@127.0.0.1:9/v1", "--model", "m"}, "credentials"},
                                   Refused{{"--base-url", "http://127.0.0.1:9/v1?key=secret", "--model", "m"}, "credentials"},
                                   Refused{{}, "none of them is given"}}) {
      std::vector<std::string> flags = refused.flags;
      flags.push_back("--save-model");
      const test::ProcessResult result = test::optimize(task, folder.path() / "refused", flags);
      CHECK(result.status == 2);
      CHECK_THAT(result.err, ContainsSubstring(refused.said) && !ContainsSubstring("secret"));
    }
    CHECK(test::read_text(task) == mark + before);
  }
}
