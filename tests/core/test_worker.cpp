#include "core/worker.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <tgd/error.hpp>

#include "catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using nlohmann::ordered_json;
using tgd::detail::Worker;
using tgd::detail::WorkerOptions;

namespace {

/// A command in sh that reads questions and does `body` with each: $line, and its $id.
WorkerOptions shell(const std::string& body, const std::string& before = "") {
  WorkerOptions options;
  options.command = {"sh", "-c",
                     before + "\nwhile IFS= read -r line; do id=${line#*'\"id\":'}; id=${id%%[,\\}]*}\n" + body + "\ndone\n"};
  options.timeout = std::chrono::minutes(2);
  return options;
}

const std::string answers_with_pid = R"(printf '{"id":%s,"pid":%s}\n' "$id" "$$")";

/// Asks, and keeps what comes back.
class Questions {
 public:
  ~Questions() { wait(); }

  void ask(Worker& worker, const ordered_json& question) {
    std::size_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = answers_.size();
      answers_.emplace_back();
    }
    worker.ask(question.dump(), [this, number](Worker::Answer answer) {
      const std::lock_guard lock(mutex_);
      order_.push_back(number);
      answers_[number] = std::move(answer);
      come_.notify_all();
    });
  }
  void wait() {
    std::unique_lock lock(mutex_);
    come_.wait(lock, [this] { return order_.size() == answers_.size(); });
  }
  /// The numbers of the questions as they were answered.
  const std::vector<std::size_t>& order() {
    wait();
    return order_;
  }
  const Worker::Answer& operator[](std::size_t number) {
    wait();
    return *answers_[number];
  }

 private:
  std::mutex mutex_;
  std::condition_variable come_;
  std::vector<std::optional<Worker::Answer>> answers_;
  std::vector<std::size_t> order_;
};

/// The problem of one question.
std::string problem_of(WorkerOptions options) {
  Worker worker(std::move(options));
  Questions questions;
  questions.ask(worker, {{"text", "a"}});
  return questions[0].problem;
}

}  // namespace

TEST_CASE("A command answers a line for each question", "[core][concurrent]") {
  Worker worker(shell(R"(printf '%s,"seen":true}\n' "${line%?}")"));
  Questions questions;
  questions.ask(worker, {{"text", "grün \"quoted\"\nand a second line"}, {"number", 2.5}});
  questions.ask(worker, ordered_json::object());
  CHECK(questions[0].reply ==
        nlohmann::ordered_json{{"id", 1}, {"text", "grün \"quoted\"\nand a second line"}, {"number", 2.5}, {"seen", true}});
  CHECK(questions[1].reply == nlohmann::ordered_json{{"id", 2}, {"seen", true}});
  CHECK(questions[0].problem.empty());
  CHECK_FALSE(questions[0].error);
}

TEST_CASE("A command answers in any order, hundreds of questions in flight", "[core][concurrent]") {
  // Answers only when all are there, the last one first.
  Worker worker(shell(R"(all="{\"id\":$id}
$all"; n=$((n+1)); [ $n -eq 200 ] && printf '%s' "$all")"));
  Questions questions;
  for (int i = 0; i < 200; ++i) questions.ask(worker, {{"number", i}});
  REQUIRE(questions.order().size() == 200);
  for (std::size_t i = 0; i < 200; ++i) {
    CHECK(questions.order()[i] == 199 - i);
    CHECK(questions[i].reply["id"] == i + 1);
  }
}

TEST_CASE("Questions are spread over the processes", "[core][concurrent]") {
  WorkerOptions options = shell("sleep 0.05\n" + answers_with_pid);
  options.processes = 3;
  options.max_in_flight = 1;
  Worker worker(options);
  Questions questions;
  for (int i = 0; i < 12; ++i) questions.ask(worker, {});
  std::set<int> processes;
  for (std::size_t i = 0; i < 12; ++i) processes.insert(questions[i].reply["pid"].get<int>());
  CHECK(processes.size() == 3);
}

TEST_CASE("Only the question that brings a process down fails", "[core][concurrent]") {
  struct Case {
    const char* name;
    std::string deed;
    std::vector<std::string> words;
  };
  const Case given = GENERATE(values<Case>(
      {{"it ends", "echo boom >&2; exit 3", {"status 3", "standard error", "boom"}},
       {"it crashes", "kill -SEGV $$", {"signal 11"}},
       {"it prints to standard output",
        "echo scoring now",
        {"no JSON object", "\"scoring now\"", "standard output belongs to"}},
       {"it writes JSON that is no object", "echo '[1]'", {"no JSON object", "[1]"}},
       {"it writes what is no number in JSON", R"(echo "{\"id\":$id,\"score\":NaN}")", {"NaN and Infinity are no JSON"}},
       {"it answers what nobody asked", R"(echo '{"id":999999}')", {"not waited for", "999999"}},
       {"it answers without an id", "echo '{\"score\":1}'", {"without an \"id\""}},
       {"it closes its output", "exec >&-; sleep 100", {"closed its standard output"}},
       {"it is silent", "sleep 100", {"did not answer within 0.4 s"}},
       {"its line does not end",
        "printf '{\"id\":1'; sleep 100",
        {"did not answer within 0.4 s, but has begun a line: \"{\"id\":1\""}},
       {"it ends without a word", "exit 0", {"it ended (with status 0) before its input did"}},
       {"it writes what Python shows", "echo \"{'id': $id}\"", {"double quotes"}},
       {"it writes an answer over several lines", "printf '{\\n\"id\":1\\n}'", {"whole on one line"}},
       {"its id is a text", R"(echo "{\"id\":\"$id\"}")", {"an \"id\" that is no whole number"}}}));
  INFO(given.name);
  WorkerOptions options = shell("case $line in *poison*) " + given.deed + ";; *) " + answers_with_pid + ";; esac");
  options.timeout = std::chrono::milliseconds(
      given.deed.ends_with("sleep 100") && given.deed.find("exec") == std::string::npos ? 400 : 60'000);
  options.processes = 2;
  Worker worker(options);
  Questions questions;
  for (int i = 0; i < 40; ++i) questions.ask(worker, {{"text", i == 17 ? "poison" : "good"}});
  for (std::size_t i = 0; i < 40; ++i) {
    CHECK_FALSE(questions[i].error);
    CHECK(questions[i].problem.empty() == (i != 17));
  }
  for (const std::string& word : given.words) CHECK_THAT(questions[17].problem, ContainsSubstring(word));
  CHECK_THAT(questions[17].problem, ContainsSubstring("the command \"sh -c "));
}

TEST_CASE("Processes that are killed change no answer", "[core][concurrent]") {
  // Each is killed before it answers its fifth question.
  WorkerOptions options = shell("n=$((n+1)); [ $n -ge 5 ] && kill -9 $$\n" + answers_with_pid);
  options.processes = 2;
  Worker worker(options);
  Questions questions;
  for (int i = 0; i < 60; ++i) questions.ask(worker, {{"number", i}});
  for (std::size_t i = 0; i < 60; ++i) {
    INFO(questions[i].problem);
    CHECK(questions[i].reply["id"] == i + 1);
  }
}

TEST_CASE("Processes that are killed from outside at any moment change no answer", "[core][concurrent]") {
  // Each says which it is, then answers in two pieces, so that some are killed with half an answer written.
  WorkerOptions options = shell(R"sh(echo "$$" >&2; printf '{"id":%s,' "$id"; printf '"twice":%s}\n' "$((2*id))")sh");
  options.processes = 3;
  std::mutex mutex;
  std::vector<int> seen;
  options.on_error_line = [&](std::string_view line) {
    const std::lock_guard lock(mutex);
    seen.push_back(std::stoi(std::string(line)));
  };
  std::atomic<bool> is_over = false;
  int kills = 0;
  {
    Worker worker(options);
    std::thread killer([&] {
      std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
      std::size_t next = 0;    // others are answered between two kills
      for (; !is_over; std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000))) {
        const std::lock_guard lock(mutex);
        if (seen.size() <= next) continue;
        if (::kill(-seen[seen.size() - 1 - random() % std::min<std::size_t>(seen.size(), 3)], SIGKILL) == 0) ++kills;
        next = seen.size() + 20;
      }
    });
    Questions questions;
    for (int i = 0; i < 1500; ++i) questions.ask(worker, {{"number", i}});
    for (std::size_t i = 0; i < 1500; ++i) {
      INFO(questions[i].problem);
      CHECK(questions[i].reply["twice"] == 2 * (i + 1));
    }
    is_over = true;
    killer.join();
  }
  CHECK(kills > 0);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no zombie
}

TEST_CASE("A command that never answers is given up", "[core][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  WorkerOptions options = shell("exit 1", "echo >> starts; echo broken >&2; exit 4");
  options.folder = folder.path();
  {
    Worker worker(options);
    Questions questions;
    for (int i = 0; i < 500; ++i) questions.ask(worker, {});
    for (std::size_t i = 0; i < 500; ++i)
      CHECK_THAT(questions[i].problem, ContainsSubstring("status 4") && ContainsSubstring("broken"));
    questions.ask(worker, {});
    CHECK_THAT(questions[500].problem, ContainsSubstring("status 4"));
  }
  CHECK(std::filesystem::file_size(folder.path() / "starts") < 20);
}

TEST_CASE("A command runs in its folder, with the environment that is listed", "[core][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  const tgd::test::TemporaryFolder other;
  ::setenv("OPENAI_API_KEY", "nobody's", 1);
  WorkerOptions options = shell(
      R"sh(printf '{"id":%s,"folder":"%s","key":"%s","listed":"%s","home":"%s"}\n' "$id" "$(pwd -P)" "${OPENAI_API_KEY-none}" "$LISTED" "$HOME")sh");
  options.folder = folder.path();
  options.environment = {{"LISTED", "a value"}, {"HOME", other.path().string()}};
  Worker worker(options);
  Questions questions;
  questions.ask(worker, {});
  const nlohmann::json reply = questions[0].reply;
  ::unsetenv("OPENAI_API_KEY");
  CHECK(reply["folder"] == std::filesystem::canonical(folder.path()).string());
  CHECK(reply["key"] == "none");
  CHECK(reply["listed"] == "a value");
  CHECK(reply["home"] == other.path().string());
}

TEST_CASE("A program in the folder is found from there", "[core][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  const auto program = folder.write("metric", "#!/bin/sh\nread -r line; echo '{\"id\":1}'; read -r line\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  WorkerOptions options;
  options.command = {"./metric"};
  options.folder = folder.path();
  CHECK(problem_of(options).empty());
}

TEST_CASE("A command that answers only when its input ends is known for it at once", "[core][concurrent]") {
  WorkerOptions options;
  options.timeout = std::chrono::milliseconds(300);
  SECTION("it reads all first") { options.command = {"sh", "-c", R"(all=$(cat); echo '{"id":1}')"}; }
  SECTION("it does not flush") { options.command = {"awk", R"({ print "{\"id\":" NR "}" })"}; }
  Worker worker(options);
  Questions questions;
  for (int i = 0; i < 20; ++i) questions.ask(worker, {});
  for (std::size_t i = 0; i < 20; ++i)
    CHECK_THAT(questions[i].problem, ContainsSubstring("but did when its input ended") && ContainsSubstring("flush=True"));
}

TEST_CASE("A command that cannot be started says what to do", "[core][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  WorkerOptions options;
  options.folder = folder.path();
  std::string words;
  SECTION("a whole line as the program") {
    options.command = {"python3 metric.py"};
    words = "texts of their own";
  }
  SECTION("no right to run it") {
    options.command = {"./metric"};
    folder.write("metric", "#!/bin/sh\n");
    words = "chmod +x";
  }
  SECTION("nothing that runs it") {
    options.command = {"./metric"};
    std::filesystem::permissions(folder.write("metric", "print(1)\n"), std::filesystem::perms::owner_all);
    words = "#!/usr/bin/env python3";
  }
  SECTION("what runs it is not there") {
    options.command = {"./metric"};
    std::filesystem::permissions(folder.write("metric", "#!/no/such\n"), std::filesystem::perms::owner_all);
    words = "the program is there, but";
  }
  Worker worker(options);
  Questions questions;
  questions.ask(worker, {});
  REQUIRE(questions[0].error);
  CHECK_THROWS_WITH(std::rethrow_exception(questions[0].error), ContainsSubstring(words));
}

TEST_CASE("A command that cannot be started is an error that names it", "[core][concurrent]") {
  WorkerOptions options;
  SECTION("no such program") { options.command = {"no-such-metric", "--fast"}; }
  SECTION("no such folder") {
    options.command = {"sh"};
    options.folder = "/no/such/folder";
  }
  Worker worker(options);
  Questions questions;
  for (int i = 0; i < 3; ++i) questions.ask(worker, {});
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(questions[i].error);
    CHECK_THROWS_WITH(std::rethrow_exception(questions[i].error), ContainsSubstring("cannot be started") &&
                                                                      ContainsSubstring("No such file") &&
                                                                      ContainsSubstring(options.command[0]));
  }
}

TEST_CASE("Options of a command that cannot be meant are refused", "[core]") {
  WorkerOptions options = shell("");
  SECTION("no program") { options.command = {}; }
  SECTION("no process") { options.processes = 0; }
  SECTION("nothing in flight") { options.max_in_flight = 0; }
  SECTION("no time") { options.timeout = std::chrono::milliseconds(0); }
  CHECK_THROWS_AS(Worker(options), tgd::ValueError);
}

TEST_CASE("Nothing is left of a command when its worker ends", "[core][concurrent]") {
  const std::string before = GENERATE("", "trap '' TERM");
  const std::string after = GENERATE("", "\nwhile :; do sleep 0.1; done");
  int process = 0;
  Questions questions;
  {
    WorkerOptions options = shell(answers_with_pid + after, before);
    Worker worker(options);
    questions.ask(worker, {});
    process = questions[0].reply["pid"];
    if (!after.empty()) questions.ask(worker, {});
  }
  CHECK(::kill(process, 0) == -1);
  CHECK(errno == ESRCH);
  CHECK(::waitpid(process, nullptr, WNOHANG) == -1);
  if (!after.empty()) CHECK(questions[1].error);
}

TEST_CASE("Each process has its number, variables of its own, and hears of its questions; its lines of errors are whole",
          "[core][worker][concurrent]") {
  WorkerOptions options =
      shell(R"(printf 'at ' >&2; echo "$id" >&2; printf '{"id":%s,"number":"%s"}\n' "$id" "$NUMBER"; sleep 0.05)");
  options.processes = 2;
  options.max_in_flight = 1;
  options.environment_of = [](std::size_t process) {
    return std::vector<std::pair<std::string, std::string>>{{"NUMBER", std::to_string(process)}};
  };
  std::mutex mutex;
  std::map<std::size_t, int> questions;
  std::set<std::string> lines;
  options.on_question = [&](std::size_t process) {
    const std::lock_guard lock(mutex);
    ++questions[process];
  };
  options.on_error_line = [&](std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace(line);
  };
  {
    Worker worker(options);
    Questions asked;
    for (int i = 0; i < 8; ++i) asked.ask(worker, {{"n", i}});
    asked.wait();
    for (std::size_t i = 0; i < 8; ++i) CHECK(asked[i].reply["number"] == std::to_string(asked[i].process));
  }
  const std::lock_guard lock(mutex);
  CHECK(questions[0] + questions[1] == 8);
  CHECK(questions[0] > 0);
  CHECK(questions[1] > 0);
  CHECK(lines == std::set<std::string>{"at 1", "at 2", "at 3", "at 4", "at 5", "at 6", "at 7", "at 8"});
}

TEST_CASE("A process that floods its standard error keeps nobody waiting", "[core][worker][concurrent]") {
  WorkerOptions options = shell(R"(case $line in *flood*) yes 'so much to say' >&2;; *) printf '{"id":%s}\n' "$id";; esac)");
  options.processes = 2;
  options.max_in_flight = 1;
  options.timeout = std::chrono::milliseconds(700);
  Worker worker(options);
  Questions asked;
  asked.ask(worker, {{"what", "flood"}});
  asked.ask(worker, {{"what", "plain"}});
  CHECK(asked[1].reply.contains("id"));
  CHECK_THAT(asked[0].problem, ContainsSubstring("did not answer within"));
}
