// A metric of the user's as a command, through the program.
#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/cognitive/command_evaluator.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/program.hpp"
#include "task/task.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::json;

namespace {

/// A metric in sh: `deed` is done with each $line, of which the $id, the $prediction and the $target are known.
std::string metric(const std::string& deed) {
  return R"(while IFS= read -r line; do
id=${line#*'"id":'}; id=${id%%,*}
prediction=${line#*'"prediction":"'}; prediction=${prediction%%'"'*}
target=${line#*'"target":"'}; target=${target%%'"'*}
)" + deed +
         "\ndone\n";
}

const std::string exact = R"([ "$prediction" = "$target" ] && score=1 || score=0
echo "{\"id\":$id,\"score\":$score}")";

/// The small task, scored by such a metric.
class Measured {
 public:
  explicit Measured(const std::string& deed, Value members = Value::object()) : task_(test::write_small_task(folder_)) {
    folder_.write("metric.sh", metric(deed));
    Value task = Value::parse(test::read_text(task_));
    task["evaluator"] = {{"type", "command"}, {"run", {"sh", "metric.sh"}}, {"workers", 2}};
    task["evaluator"].update(members);
    measured_ = folder_.write("measured.json", task.dump());
  }

  const fs::path& folder() const { return folder_.path(); }
  std::string exact_task() const { return task_.string(); }
  std::string task() const { return measured_.string(); }

 private:
  test::TemporaryFolder folder_;
  fs::path task_;
  fs::path measured_;
};

Value evaluated(const std::string& task, const std::map<std::string, std::string>& environment = {}) {
  const test::ProcessResult result =
      test::run_tgd({"evaluate", task, "--split", "all", "--json"}, {.environment = environment});
  INFO(result.err);
  REQUIRE(result.status == 0);
  return Value::parse(result.out)["prompts"][0];
}

}  // namespace

TEST_CASE("a metric by command scores as it says, and processes of it that are killed change nothing", "[cli]") {
  const Measured plain(exact);
  const Measured killed("n=$((n+1)); [ $n -ge 6 ] && kill -9 $$\n" + exact);
  const Value expected = evaluated(plain.exact_task());
  CHECK(expected["score"].get<double>() > 0);
  CHECK(evaluated(plain.task()) == expected);
  CHECK(evaluated(killed.task()) == expected);
}

TEST_CASE("a run measures by command, and its folder knows where the command runs", "[cli]") {
  const Measured measured(exact + "; echo \"$target\" >> seen");
  const fs::path run = measured.folder() / "runs/first";
  const test::ProcessResult result = test::optimize(measured.task(), run);
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(fs::exists(measured.folder() / "seen"));
  CHECK(fs::canonical(cli::read_task(run / "task.json").evaluator.folder) == fs::canonical(measured.folder()));
  CHECK(test::run_tgd({"evaluate", measured.task(), "--prompt", run.string(), "--json"}).status == 0);
}

TEST_CASE("a sample that a command cannot score has failed, with the reason", "[cli]") {
  const auto [deed, words] =
      GENERATE(table<std::string, std::string>({{"echo no such thing >&2; exit 3", "no such thing"},
                                                {"echo scoring", "standard output belongs to the protocol"},
                                                {R"(echo "{\"id\":$id,\"score\":NaN}")", "NaN and Infinity are no JSON"},
                                                {R"(echo "{\"id\":$id,\"score\":2}")", "better than \"best_score\""}}));
  const Measured measured("case $target in shipping) " + deed + ";; *) " + exact + ";; esac");
  const Value failing = evaluated(measured.task());
  const int failed = failing["failed"];
  CHECK(failed > 0);
  CHECK(failed < failing["samples"].get<int>());
  const test::ProcessResult shown = test::run_tgd({"evaluate", measured.task(), "--split", "all"});
  CHECK_THAT(shown.out, ContainsSubstring(words));
}

TEST_CASE("check says what is wrong with a command", "[cli]") {
  SECTION("nothing") {
    const test::ProcessResult result = test::run_tgd({"check", Measured(exact).task()});
    INFO(result.out + result.err);
    CHECK(result.status == 0);
    CHECK_THAT(result.out, !ContainsSubstring("the command"));
  }
  SECTION("it prints") {
    const test::ProcessResult result = test::run_tgd({"check", Measured("echo scoring").task(), "--no-calls"});
    CHECK(result.status == 1);
    CHECK_THAT(result.out, ContainsSubstring("\"scoring\"") && ContainsSubstring("standard output belongs to the protocol"));
  }
  SECTION("it is not there") {
    const test::ProcessResult result =
        test::run_tgd({"check", Measured(exact, {{"run", {"no-such-metric"}}}).task(), "--no-calls"});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, ContainsSubstring("\"no-such-metric\" cannot be started"));
  }
  SECTION("it gives less for the expected answer than the best score") {
    const test::ProcessResult result = test::run_tgd({"check", Measured(exact, {{"best_score", 5}}).task(), "--no-calls"});
    CHECK(result.status == 0);
    CHECK_THAT(result.out, ContainsSubstring("the expected answer itself 1") && ContainsSubstring("\"best_score\", 5"));
  }
}

TEST_CASE("a command that cannot be started ends a measurement", "[cli]") {
  const test::ProcessResult result = test::run_tgd({"evaluate", Measured(exact, {{"run", {"no-such-metric"}}}).task()});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("\"no-such-metric\" cannot be started"));
}

TEST_CASE("a command that is silent ends with the program when that is told to end at once", "[cli]") {
  const Measured measured("[ -e pid ] || { echo $$ > pid.part; mv pid.part pid; }; sleep 1000");
  test::Process program = test::start_tgd({"evaluate", measured.task()});
  const fs::path file = measured.folder() / "pid";
  while (!fs::exists(file) && !program.has_ended()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  REQUIRE(fs::exists(file));
  const pid_t command = std::stoi(test::read_text(file));
  program.signal(SIGINT);
  program.signal(SIGTERM);
  CHECK(program.wait().status == 130);
  // Whoever has adopted it reaps it in its own time.
  const auto is_there = [&] {
    std::ifstream stat("/proc/" + std::to_string(command) + "/stat");
    std::string line;
    return std::getline(stat, line) && line.find(") Z") == std::string::npos;
  };
  for (int i = 0; i < 1000 && is_there(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK_FALSE(is_there());
}

TEST_CASE("a command gets a key only where the task lists it", "[cli]") {
  const std::string has_key = R"([ -n "$OPENAI_API_KEY" ] && score=1 || score=0
echo "{\"id\":$id,\"score\":$score}")";
  const std::map<std::string, std::string> environment{{"OPENAI_API_KEY", "nobody's"}};
  CHECK(evaluated(Measured(has_key).task(), environment)["score"] == 0);
  const Measured listed(has_key, {{"env", {{"OPENAI_API_KEY", "${OPENAI_API_KEY}"}}}});
  CHECK(evaluated(listed.task(), environment)["score"] == 1);
}

TEST_CASE("the example's metric in Python takes numbers within its tolerance", "[cli]") {
  if (!test::find_program("python3")) return;
  const fs::path folder = test::examples / "measures";
  const CommandEvaluator evaluator({.run = {"python3", "metric.py"}, .folder = folder});
  using Texts = std::vector<std::string>;
  const Variable prediction(Texts{"42.16", "It is about 42.2 km.", "40", "1,042.2", "far"}, "answer", true);
  const Evaluation evaluation = evaluator(prediction, "42.16", {}, {.evaluator = {.reduction = Reduction::none}});
  CHECK(evaluation.score.data() == Data(std::vector<double>{1, 1, 0.5, 0, 0}));
  CHECK_THAT(evaluation.explanation.data().texts()[2], ContainsSubstring("The answer, 40, is 5.1% off; 42.16 was expected."));
  CHECK(test::run_tgd({"check", (folder / "task.json").string(), "--no-calls"}).status == 0);
  CHECK(test::run_tgd({"evaluate", (folder / "task.json").string()}).status == 0);
}
