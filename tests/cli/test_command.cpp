// A metric of the user's as a command, through the program.
#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
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
  explicit Measured(const std::string& deed, Value members = Value::object(), Value task_members = Value::object(),
                    std::size_t samples = 30)
      : task_(test::write_small_task(folder_, samples)) {
    folder_.write("metric.sh", metric(deed));
    Value task = Value::parse(test::read_text(task_));
    task["evaluator"] = {{"type", "command"}, {"run", {"sh", "metric.sh"}}, {"workers", 2}};
    task["evaluator"].update(members);
    task.update(task_members);
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
  CHECK(fs::canonical(cli::read_task(run / "task.json").evaluator.command.folder) == fs::canonical(measured.folder()));
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
    CHECK_THAT(result.out, ContainsSubstring("\"scoring\"") && ContainsSubstring("standard output belongs to the protocol") &&
                               ContainsSubstring("(so for 5 of 5 samples)"));
  }
  SECTION("it does not flush") {
    const Measured unflushed("", {{"run", {"awk", "{print}"}}, {"timeout_seconds", 0.5}});
    const test::ProcessResult result = test::run_tgd({"check", unflushed.task(), "--no-calls"});
    CHECK(result.status == 1);
    CHECK_THAT(result.out, ContainsSubstring("but did when its input ended"));
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

TEST_CASE("what a metric measures beside its score is reported, and its standard error kept", "[cli]") {
  const std::string measured_length =
      "echo \"looked at $id\" >&2\n" + exact.substr(0, exact.rfind('\n')) +
      "\necho \"{\\\"id\\\":$id,\\\"score\\\":$score,\\\"metrics\\\":{\\\"length\\\":${#prediction}}}\"";
  const Measured measured(measured_length);
  SECTION("by a run") {
    const fs::path run = measured.folder() / "runs/first";
    const test::ProcessResult result = test::optimize(measured.task(), run);
    INFO(result.err);
    REQUIRE(result.status == 0);
    const Value figures = test::read_result(run)["metrics"]["length"];
    CHECK(figures["test"]["before"].get<double>() > 3);
    CHECK(figures["validation"]["after"].get<double>() > 3);
    CHECK_THAT(result.out, ContainsSubstring("Further metrics") && ContainsSubstring("length (test)"));
    CHECK_THAT(test::read_text(run / "report.html"), ContainsSubstring(R"(["length","test",)"));
    CHECK_THAT(test::read_text(run / "metric.stderr"), ContainsSubstring("looked at 1\n"));
    CHECK((fs::status(run / "metric.stderr").permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK_THAT(test::read_text(run / "metrics.jsonl"), ContainsSubstring(R"("metrics":{"length":)"));
  }
  SECTION("side by side") {
    const fs::path rows = measured.folder() / "rows.jsonl";
    const test::ProcessResult result = test::run_tgd({"evaluate", measured.task(), "--output", rows.string(), "--json"});
    INFO(result.err);
    REQUIRE(result.status == 0);
    CHECK(Value::parse(result.out)["prompts"][0]["metrics"]["length"].get<double>() > 3);
    CHECK_THAT(test::read_text(rows), ContainsSubstring(R"("metrics":{"length":)"));
    CHECK_THAT(test::run_tgd({"evaluate", measured.task()}).out, ContainsSubstring("first: length "));
  }
}

TEST_CASE("a deterministic metric is asked once, over all runs that share a cache", "[cli]") {
  const auto asked = [](const Measured& measured) {
    test::run_tgd({"evaluate", measured.task(), "--prompt", "first", "--prompt", "first"});
    test::run_tgd({"evaluate", measured.task()});
    std::ifstream file(measured.folder() / "seen");
    std::size_t lines = 0;
    for (std::string line; std::getline(file, line);) ++lines;
    return lines;
  };
  const std::string noted = exact + "; echo \"$id\" >> seen";
  const std::size_t samples = asked(Measured(noted)) / 3;
  CHECK(samples > 0);
  CHECK(asked(Measured(noted, {{"deterministic", true}})) == 2 * samples);
  CHECK(asked(Measured(noted, {{"deterministic", true}}, {{"cache", "replies.db"}})) == samples);
}

TEST_CASE("a run whose metric says something else each time goes on with the scores that it had", "[cli]") {
  // The score is how often it was asked; each line that it gets is noted.
  const std::string counted = R"(echo "$prediction $target" >> seen; n=$(grep -c . seen)
echo "{\"id\":$id,\"score\":0.$((n % 7))$((n % 10))}")";
  // It ends then, for another question may be waiting for it.
  const std::string kills = "; [ $n -eq 75 ] && [ ! -e cut ] && { touch cut; kill -9 $PPID; exit; }";
  const Measured cut(counted + kills, {{"workers", 1}, {"max_in_flight", 1}}, Value::object(), 60);
  const fs::path run = cut.folder() / "run";
  REQUIRE(test::optimize(cut.task(), run).status != 0);
  const auto lines = [](const fs::path& file, const std::string& words) {
    std::istringstream text(test::read_text(file));
    std::size_t count = 0;
    for (std::string line; std::getline(text, line);) count += line.find(words) == line.npos ? 0 : 1;
    return count;
  };
  const auto asked = [&] { return lines(cut.folder() / "seen", ""); };
  const auto kept = [&] { return lines(run / "journal.jsonl", R"("kind":"measured")"); };
  const auto scores = [&] {
    std::vector<Value> all;
    for (const Value& line : test::lines_of(test::read_text(run / "samples.jsonl"))) {
      if (line["kind"] == "scores") all.push_back(line);
    }
    return all;
  };
  const std::size_t asked_before = asked();
  const std::size_t kept_before = kept();
  const std::vector<Value> scores_before = scores();
  CHECK(kept_before > 0);
  CHECK(asked_before - kept_before <= 2);  // what was on its way

  const test::ProcessResult resumed = test::run_tgd({"optimize", "--resume", run.string()});
  INFO(resumed.out + resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK(kept() - kept_before == asked() - asked_before);
  // Each sample of each measurement was asked about once, but for what was on its way.
  const std::vector<Value> scores_after = scores();
  REQUIRE(scores_after.size() > scores_before.size());
  CHECK(std::equal(scores_before.begin(), scores_before.end(), scores_after.begin()));
}

// ---- Stages and programs -------------------------------------------------------------------------------------------------

namespace {

/// The small task with what does its work in place of its messages, and a script beside it.
class Working {
 public:
  Working(const std::string& script, const Value& members, std::size_t samples = 30)
      : task_(test::write_small_task(folder_, samples)) {
    folder_.write("work.sh", script);
    Value task = Value::parse(test::read_text(task_));
    task.erase("messages");
    task.erase("output");
    task.update(members);
    working_ = folder_.write("working.json", task.dump());
  }

  const fs::path& folder() const { return folder_.path(); }
  std::string task() const { return working_.string(); }

 private:
  test::TemporaryFolder folder_;
  fs::path task_;
  fs::path working_;
};

/// Each line of the protocol, with its $id, is answered by what `deed` prints behind the id.
std::string worker(const std::string& deed) {
  return "while IFS= read -r line; do id=${line#*'\"id\":'}; id=${id%%,*}\n" + deed + "\ndone\n";
}

const std::string label_by_word = R"sh(
case $line in
  *'"feedback":'*) echo "{\"id\":$id,\"feedback\":{\"instructions\":\"name the topic\"}}"; continue;;
  *invoice*|*payment*) label=billing;;
  *) label=shipping;;
esac
echo "{\"id\":$id,\"output\":\"$label\"}")sh";

Value program(Value more = Value::object()) {
  Value agent{{"run", {"sh", "work.sh"}}};
  agent.update(more);
  return {{"agent", agent}};
}

Value stages(Value more = Value::object()) {
  Value stage{{"name", "sorted"}, {"run", {"sh", "work.sh"}}, {"inputs", {"ticket", "instructions"}}, {"feedback", "command"}};
  stage.update(more);
  return {{"stages", {stage}}};
}

}  // namespace

TEST_CASE("a run improves a whole program, and a stage by command, of the user's own", "[cli]") {
  const Value members = GENERATE(program(), stages());
  const Working working(worker(label_by_word + "; echo \"looked at $id\" >&2"), members);
  const fs::path run = working.folder() / "runs/first";
  const test::ProcessResult result = test::optimize(working.task(), run);
  INFO(result.out + result.err);
  REQUIRE(result.status == 0);
  const Value outcome = test::read_result(run);
  CHECK(outcome["accuracy"]["test"]["before"].get<double>() > 0);
  CHECK(outcome["calls"]["command"].get<int>() > 0);
  CHECK(outcome["steps"].get<int>() > 0);
  const bool is_program = members.contains("agent");
  CHECK_THAT(test::read_text(run / (is_program ? "agent.stderr" : "sorted.stderr")), ContainsSubstring("looked at 1\n"));
  CHECK_THAT(test::read_text(run / "versions.jsonl"),
             is_program ? ContainsSubstring("\"feedback\"") : ContainsSubstring("name the topic"));
  const test::ProcessResult measured = test::run_tgd({"evaluate", working.task(), "--prompt", run.string(), "--json"});
  INFO(measured.err);
  CHECK(measured.status == 0);
}

TEST_CASE("processes of a program that are killed change no figure", "[cli]") {
  const Value members = GENERATE(program({{"workers", 2}}), stages({{"workers", 2}}));
  const Working plain(worker(label_by_word), members);
  const Working killed(worker("n=$((n+1)); [ $n -ge 6 ] && kill -9 $$\n" + label_by_word), members);
  CHECK(evaluated(killed.task()) == evaluated(plain.task()));
}

TEST_CASE("a program that cannot do a sample fails that sample only, with the reason", "[cli]") {
  const auto [deed, words] = GENERATE(table<std::string, std::string>(
      {{"echo no such thing >&2; exit 3", "no such thing"},
       {"echo working", "standard output belongs to the protocol"},
       {R"(echo "{\"id\":$id,\"problem\":\"nothing was found\"}"; continue)", "nothing was found"},
       {R"(echo "{\"id\":$id,\"result\":1}"; continue)", "it has no \"output\""},
       {R"(echo "{\"id\":77777,\"output\":\"x\"}"; continue)", "with an \"id\" that is not waited for"}}));
  INFO(deed);
  const Value members = GENERATE(program(), stages());
  const Working working(worker("case $line in *package*) " + deed + ";; esac\n" + label_by_word), members);
  const Value failing = evaluated(working.task());
  const int failed = failing["failed"];
  CHECK(failed > 0);
  CHECK(failed < failing["samples"].get<int>());
  CHECK_THAT(test::run_tgd({"evaluate", working.task(), "--split", "all"}).out, ContainsSubstring(words));
}

TEST_CASE("a program that is silent ends with its time, and nothing waits for it", "[cli]") {
  const Value members = GENERATE(program({{"timeout_seconds", 0.3}}), stages({{"timeout_seconds", 0.3}}));
  const Working working(worker("sleep 1000"), members);
  const test::ProcessResult result = test::run_tgd({"evaluate", working.task()});
  CHECK_THAT(result.out + result.err, ContainsSubstring("it did not answer within 0.3 s"));
}

TEST_CASE("a run of a program that was killed goes on to the same end, and pays for nothing twice", "[cli]") {
  const std::string noted = label_by_word + "; echo \"$line\" >> seen";
  const Value members = program({{"max_in_flight", 3}});
  const Working whole(worker(noted), members, 60);
  REQUIRE(test::optimize(whole.task(), whole.folder() / "run").status == 0);
  const Working cut(worker(noted + "; [ $(grep -c . seen) -eq 120 ] && [ ! -e cut ] && { touch cut; kill -9 $PPID; sleep 1; }"),
                    members, 60);
  REQUIRE(test::optimize(cut.task(), cut.folder() / "run").status != 0);
  const test::ProcessResult resumed = test::run_tgd({"optimize", "--resume", (cut.folder() / "run").string()});
  INFO(resumed.out + resumed.err);
  REQUIRE(resumed.status == 0);
  const Value expected = test::read_result(whole.folder() / "run");
  const Value outcome = test::read_result(cut.folder() / "run");
  for (const char* member : {"accuracy", "parameters", "steps", "calls"}) {
    INFO(member);
    CHECK(outcome[member] == expected[member]);
  }
}

TEST_CASE("a budget holds for the runs of a program", "[cli]") {
  const Working working(worker(label_by_word + "; echo \"$id\" >> seen"), program(), 60);
  const test::ProcessResult result =
      test::run_tgd({"optimize", working.task(), "--run-dir", (working.folder() / "run").string(), "--max-calls", "150"});
  INFO(result.out + result.err);
  std::ifstream file(working.folder() / "seen");
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  CHECK(lines <= 150);
  const test::ProcessResult priced = test::run_tgd({"optimize", working.task(), "--max-cost", "1"});
  CHECK(priced.status == 2);
  CHECK_THAT(priced.err, ContainsSubstring("what the program's own calls cost is not known"));
}

TEST_CASE("a recorded run of a program is replayed without it", "[cli]") {
  const Working working(worker(label_by_word), program());
  const fs::path run = working.folder() / "run";
  const test::ProcessResult recorded =
      test::run_tgd({"optimize", working.task(), "--run-dir", run.string(), "--record", "--epochs", "1"});
  INFO(recorded.out + recorded.err);
  REQUIRE(recorded.status == 0);
  fs::remove(working.folder() / "work.sh");
  const test::ProcessResult replayed = test::run_tgd({"replay", run.string()});
  INFO(replayed.out + replayed.err);
  CHECK(replayed.status == 0);
}

TEST_CASE("check tries a stage by command and a program on five samples", "[cli]") {
  const Value members = GENERATE(program(), stages());
  SECTION("nothing is wrong") {
    const Working working(worker(label_by_word + "; echo \"$id\" >> seen"), members);
    const test::ProcessResult result = test::run_tgd({"check", working.task()});
    INFO(result.out + result.err);
    CHECK(result.status == 0);
  }
  SECTION("it prints") {
    const Working working(worker("echo working"), members);
    const test::ProcessResult result = test::run_tgd({"check", working.task()});
    CHECK(result.status == 1);
    CHECK_THAT(result.out + result.err,
               ContainsSubstring("\"working\"") && ContainsSubstring("standard output belongs to the protocol"));
  }
  SECTION("it is not there") {
    Value missing = members;
    if (missing.contains("agent")) missing["agent"]["run"] = {"no-such-program"};
    if (missing.contains("stages")) missing["stages"][0]["run"] = {"no-such-program"};
    const Working working(worker(label_by_word), missing);
    const test::ProcessResult result = test::run_tgd({"check", working.task()});
    CHECK(result.status == 1);
    CHECK_THAT(result.out + result.err, ContainsSubstring("\"no-such-program\" cannot be started"));
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
