// The shipped examples of commands: a metric in jq, retrieval over SQLite, programs in Node and Python. What a machine lacks is
// said.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/cognitive/command_evaluator.hpp>
#include <tgd/cognitive/command_function.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "support/program.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Texts = std::vector<std::string>;
using Value = nlohmann::json;

namespace {

/// Whether an example can be run here; else the output says why not.
bool has(const char* program) {
  if (test::find_program(program)) return true;
  WARN("This example was not run: there is no " << program << " on this machine.");
  return false;
}

bool python_has(const std::string& module) {
  if (!has("python3")) return false;
  if (test::run_process({*test::find_program("python3"), "-c", "import " + module}).status == 0) return true;
  WARN("This example was not run: python3 has no module " << module << " on this machine.");
  return false;
}

/// An endpoint that plans and answers, and the environment that leads to it.
class Endpoint {
 public:
  Endpoint() : server_(answering()) {}
  test::ProcessOptions options() const {
    return {.environment = {{"OPENAI_BASE_URL", server_.url()}, {"OPENAI_API_KEY", "none"}}};
  }
  std::string url() const { return server_.url(); }
  std::size_t calls() const { return stub_->requests().size(); }
  const lm::Stub& stub() const { return *stub_; }

 private:
  lm::ChatModelPtr answering() {
    stub_ = lm::Stub::answering([](const lm::Request& request) {
      const std::string& prompt = request.messages.at(0).content;
      return prompt.find("Say how") != prompt.npos ? "multiply" : "It is 42.";
    });
    return stub_;
  }
  std::shared_ptr<lm::Stub> stub_;
  test::ChatServer server_;
};

}  // namespace

TEST_CASE("the example's metric in jq takes numbers within its tolerance", "[cli][examples]") {
  if (!has("jq")) return;
  const CommandEvaluator evaluator({.run = {"sh", "metric.sh"}, .folder = test::examples / "measures"});
  const Variable prediction(Texts{"42.16", "It is about 42.2 km.", "40", "1,042.2", "far"}, "answer", true);
  const Evaluation evaluation = evaluator(prediction, "42.16", {}, {.evaluator = {.reduction = Reduction::none}});
  CHECK(evaluation.score.data() == Data(std::vector<double>{1, 1, 0.5, 0, 0}));
  CHECK(evaluation.score.metrics(2).at("relative_error") == Approx(0.0512).margin(0.001));
  CHECK(evaluation.score.metrics(4).empty());
  CHECK_THAT(evaluation.explanation.data().texts()[2], ContainsSubstring("The answer, 40, is off; 42.16 was expected."));
}

TEST_CASE("the example's retrieval finds paragraphs of the manual, and says how its words should change", "[cli][examples]") {
  if (!python_has("sqlite3")) return;
  const fs::path folder = test::examples / "manual";
  const CommandFunction search({.run = {"python3", "search.py"}, .folder = folder});
  const Variable found =
      search({{"question", Variable(Texts{"Why does it rattle?", "How many watts does it draw?"})}, {"words", "machine"}});
  CHECK_THAT(found.texts()[0], ContainsSubstring("Rattling means that the filter sits loosely."));
  CHECK_THAT(found.texts()[1], ContainsSubstring("draws 1400 watts"));

  const test::TemporaryFolder place;
  const fs::path run = place.path() / "run";
  CHECK(test::run_tgd({"check", (folder / "task.json").string()}).status == 0);
  const test::ProcessResult result = test::optimize(folder / "task.json", run);
  INFO(result.out + result.err);
  REQUIRE(result.status == 0);
  CHECK_THAT(test::read_text(run / "versions.jsonl"), ContainsSubstring("With these words the search found:"));
}

TEST_CASE("the example's program in Node is optimized, its conversations are shown", "[cli][examples]") {
  if (!has("node")) return;
  const Endpoint endpoint;
  const test::TemporaryFolder place;
  const fs::path run = place.path() / "run";
  const std::string task = (test::examples / "agents/task.json").string();
  const test::ProcessResult result =
      test::run_tgd({"optimize", task, "--run-dir", run.string(), "--max-calls", "120"}, endpoint.options());
  INFO(result.out + result.err);
  REQUIRE(result.status == 0);
  CHECK(endpoint.calls() > 0);
  CHECK(test::read_result(run)["calls"]["command"].get<int>() > 0);
  CHECK_THAT(test::read_text(run / "journal.jsonl"), ContainsSubstring(R"(\"trace\")") || ContainsSubstring("trace"));
}

TEST_CASE("the example's program in Python, with the openai package, is optimized through the proxy",
          "[cli][examples][proxy]") {
  if (!python_has("openai")) return;
  const Endpoint endpoint;
  const test::TemporaryFolder place;
  const fs::path agents = test::examples / "agents";
  Value task = Value::parse(test::read_text(agents / "task.json"), nullptr, true, true);
  task["data"]["file"] = fs::absolute(test::examples / "measures/measures.jsonl").string();
  task["agent"]["run"] = {"python3", "agent.py"};
  task["agent"]["folder"] = fs::absolute(agents).string();
  task["agent"].erase("env");
  task["agent"]["workers"] = 2;
  task["models"]["student"] = {{"provider", "openai"}, {"model", "small"}, {"base_url", endpoint.url()}};
  const fs::path run = place.path() / "run";
  const test::ProcessResult result =
      test::run_tgd({"optimize", place.write("task.json", task.dump()).string(), "--run-dir", run.string(), "--proxy"},
                    {.environment = {{"OPENAI_API_KEY", "none"}}});
  INFO(result.out + result.err);
  REQUIRE(result.status == 0);
  CHECK(test::read_result(run)["calls"]["forward"] == 2 * test::read_result(run)["calls"]["command"].get<int>());
  bool is_shown = false;
  for (const lm::Request& request : endpoint.stub().requests())
    is_shown = is_shown || request.messages.back().content.find("<REPLY>\nmultiply\n</REPLY>") != std::string::npos;
  CHECK(is_shown);
}
