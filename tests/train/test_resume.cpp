#include <tgd/trainer.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"
#include "train/journal_file.hpp"
#include "train/resumable_run.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path) { return detail::read_file(path); }

/// Everything that a run leaves, less the time that it took.
std::string outcome_of(const fs::path& folder) {
  nlohmann::json checkpoint = nlohmann::json::parse(content(folder / "checkpoint.json"));
  checkpoint["run"].erase("seconds");
  checkpoint.erase("journal");  // where the run stands in it: a resumed one has more to tell
  return checkpoint.dump(1) + content(folder / "metrics.jsonl") + content(folder / "prompt.txt");
}

/// Ends the run when so many calls were paid, and goes on: it has to come to the same, with all calls paid once.
void check_resumed_after(std::size_t last, test::ResumableRun plan, std::size_t all, const std::string& whole) {
  CAPTURE(last);
  plan.folder = plan.folder.parent_path() / std::to_string(last);
  std::multiset<std::string> calls;
  plan.on_paid = [&](const std::string& call) {
    if (calls.size() == last) throw LMError(LMError::Kind::cancelled, "the test ends this session");
    calls.insert(call);
  };
  CHECK_THROWS_AS(test::run(plan), LMError);
  plan.on_paid = [&](const std::string& call) { calls.insert(call); };
  plan.resume = true;
  test::run(plan);
  CHECK(outcome_of(plan.folder) == whole);
  CHECK(calls.size() == all);
  for (const std::string& call : calls) CHECK(calls.count(call) == 1);
}

/// Throws after the step of that number, as a program that fails does.
struct FailAfter : TrainerCallback {
  explicit FailAfter(std::size_t last) : step(last) {}
  void on_step(const StepReport& report) override {
    if (report.step == step) throw std::runtime_error("the test ends this session");
  }
  std::size_t step;
};

/// Kills the process after the step of that number, before its checkpoint is written.
struct DieAfter : TrainerCallback {
  explicit DieAfter(std::size_t last) : step(last) {}
  void on_step(const StepReport& report) override {
    if (report.step == step) raise(SIGKILL);
  }
  std::size_t step;
};

/// Runs this test program's victim and kills it.
class Victim {
 public:
  /// `stream`: the file that it trains on, if any. `dies_at`: the step after which it kills itself; 0: none.
  Victim(const fs::path& folder, bool resume, const fs::path& stream = {}, std::size_t dies_at = 0)
      : began_(folder.string() + ".began") {
    fs::remove(began_);
    setenv("TGD_TEST_RUN_FOLDER", folder.c_str(), 1);
    setenv("TGD_TEST_RESUME", resume ? "1" : "", 1);
    setenv("TGD_TEST_STREAM", stream.c_str(), 1);
    setenv("TGD_TEST_DIES_AT", std::to_string(dies_at).c_str(), 1);
    std::vector<char*> arguments;
    for (std::string& argument : arguments_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    REQUIRE(posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Victim() {
    if (process_ > 0) kill(process_, SIGKILL);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  /// Kills it so long after it has begun its work. Returns whether it was still at it.
  bool kill_after(std::chrono::microseconds time) {
    while (!fs::exists(began_)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(time);
    kill(process_, SIGKILL);
    return wait() != 0;
  }
  int wait() {
    int status = 0;
    REQUIRE(waitpid(process_, &status, 0) == process_);
    process_ = -1;
    return status;
  }

 private:
  fs::path began_;
  std::vector<std::string> arguments_{"tgd_test_train", "[victim]"};
  pid_t process_ = -1;
};

/// The names of the replies that the journal gives again.
std::set<std::string> journaled(const fs::path& folder) {
  std::set<std::string> calls;
  detail::read_journal(folder / "journal.jsonl", [&](const auto& record, std::uint64_t) {
    if (const auto reply = record.find("outcome")) calls.insert(reply->at("model").text());
  });
  calls.erase("backward");
  calls.erase("optimize");
  return calls;
}

std::multiset<std::string> lines(const fs::path& path) {
  std::multiset<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.insert(line);
  return lines;
}

}  // namespace

TEST_CASE("the run that the test of killed runs kills", "[.][victim]") {
  const char* folder = std::getenv("TGD_TEST_RUN_FOLDER");
  REQUIRE(folder != nullptr);
  const int log = open((std::string(folder) + ".paid").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  std::ofstream(std::string(folder) + ".began") << "yes";
  test::run({.folder = folder,
             .stream = std::getenv("TGD_TEST_STREAM"),
             .resume = *std::getenv("TGD_TEST_RESUME") != '\0',
             .latency = std::chrono::microseconds(500),
             .on_paid =
                 [log](const std::string& call) {
                   const std::string line = call + "\n";
                   REQUIRE(write(log, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
                 },
             .callbacks = {std::make_shared<DieAfter>(std::stoul(std::getenv("TGD_TEST_DIES_AT")))}});
  close(log);
}

TEST_CASE("a run that fails after any step goes on as if nothing had happened", "[train][resume]") {
  const test::TemporaryFolder folder;
  const FitResult whole = test::run({.folder = folder.path() / "whole"});
  REQUIRE(whole.steps == 12);
  REQUIRE(whole.best->metrics.score > whole.first->metrics.score);
  const std::size_t step = GENERATE(1, 2, 3, 4, 5, 8, 11, 12);
  CAPTURE(step);
  const fs::path resumed = folder.path() / "resumed";
  CHECK_THROWS_WITH(test::run({.folder = resumed, .callbacks = {std::make_shared<FailAfter>(step)}}),
                    ContainsSubstring("the test ends this session"));
  const FitResult result = test::run({.folder = resumed, .resume = true});
  CHECK(result.steps == whole.steps);
  CHECK(result.best->metrics.score == whole.best->metrics.score);
  CHECK(result.usage.to_json() == whole.usage.to_json());
  CHECK(outcome_of(resumed) == outcome_of(folder.path() / "whole"));
}

TEST_CASE("a run that is killed at random moments goes on to the same end and pays for no reply twice",
          "[train][resume][slow]") {
  const test::TemporaryFolder folder;
  test::run({.folder = folder.path() / "whole"});
  std::mt19937 random(20);
  std::uniform_int_distribution<int> moment(0, 60'000);
  int kills = 0;
  for (int number = 0; kills < 50; ++number) {
    const fs::path killed = folder.path() / ("killed-" + std::to_string(number));
    std::set<std::string> kept;  // replies that were in the journal at a kill
    std::multiset<std::string> paid_before;
    bool alive = true;
    for (bool resume = false; alive && kills < 50; resume = true) {
      alive = Victim(killed, resume).kill_after(std::chrono::microseconds(moment(random)));
      if (!alive) break;
      ++kills;
      const std::multiset<std::string> paid = lines(killed.string() + ".paid");
      for (const std::string& call : kept) REQUIRE(paid.count(call) == paid_before.count(call));
      kept = journaled(killed);
      paid_before = paid;
    }
    if (alive) REQUIRE(Victim(killed, true).wait() == 0);
    CHECK(outcome_of(killed) == outcome_of(folder.path() / "whole"));
  }
}

TEST_CASE("a run that a limit ended goes on when the limit is raised, as if there had been none", "[train][resume]") {
  const test::TemporaryFolder folder;
  test::run({.folder = folder.path() / "whole"});
  const fs::path limited = folder.path() / "limited";
  const FitResult first = test::run({.folder = limited, .max_calls = 30});
  CHECK(first.ending == Ending::calls);
  REQUIRE(first.steps < 12);
  test::run({.folder = limited, .resume = true, .max_calls = 60});
  CHECK(test::run({.folder = limited, .resume = true}).ending == Ending::epochs);
  CHECK(outcome_of(limited) == outcome_of(folder.path() / "whole"));
}

TEST_CASE("a run goes on from a checkpoint that is named", "[train][resume]") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "run";
  test::run({.folder = path, .keep_checkpoints = 12});
  const std::string whole = outcome_of(path);
  SECTION("an earlier one of its own") {
    const FitResult result = test::run({.folder = path, .checkpoint = path / "checkpoint-5.json"});
    CHECK(result.steps == 12);
    CHECK(outcome_of(path) == whole);
  }
  SECTION("in a new run folder, whose metrics begin there") {
    const fs::path other = folder.path() / "other";
    test::run({.folder = other, .checkpoint = path / "checkpoint-6.json"});
    CHECK(content(other / "prompt.txt") == content(path / "prompt.txt"));
    const std::string all = content(path / "metrics.jsonl");
    CHECK(content(other / "metrics.jsonl") == all.substr(all.find("{\"kind\":\"step\",\"epoch\":2,\"step\":7,")));
    CHECK(outcome_of(path) == whole);
  }
  SECTION("without a run folder") {
    CHECK(test::run({.checkpoint = path / "checkpoint-11.json"}).steps == 12);
    CHECK(outcome_of(path) == whole);
  }
  SECTION("but not over another run, nor from what is no checkpoint") {
    const fs::path other = folder.path() / "other";
    test::run({.folder = other, .max_epochs = 1});
    const std::string before = outcome_of(other);
    CHECK_THROWS_WITH(test::run({.folder = other, .checkpoint = path / "checkpoint-6.json"}),
                      ContainsSubstring("holds a run already"));
    CHECK_THROWS_WITH(test::run({.folder = path, .checkpoint = path / "checkpoint-99.json"}),
                      ContainsSubstring("checkpoint-99.json"));
    CHECK(outcome_of(other) == before);
    CHECK(outcome_of(path) == whole);
  }
}

TEST_CASE("a run on a stream that is killed in the middle of an epoch reads forward to its place", "[train][resume]") {
  const test::TemporaryFolder folder;
  std::string lines_of_stream;
  for (const auto& [message, label] : test::training_samples())
    lines_of_stream += nlohmann::json{{"message", message}, {"label", label}}.dump() + "\n";
  const fs::path stream = folder.write("train.jsonl", lines_of_stream);
  const FitResult whole = test::run({.folder = folder.path() / "whole", .stream = stream});
  REQUIRE(whole.steps == 12);
  const auto [first, second] = GENERATE(std::pair{2U, 3U}, std::pair{4U, 7U}, std::pair{6U, 12U});  // of four steps an epoch
  CAPTURE(first, second);
  const fs::path killed = folder.path() / "killed";
  for (const std::size_t step : {first, second}) {
    const std::set<std::string> kept = journaled(killed);
    const std::multiset<std::string> paid_before = lines(killed.string() + ".paid");
    REQUIRE(Victim(killed, step == second, stream, step).wait() != 0);
    CHECK(nlohmann::json::parse(content(killed / "checkpoint.json")).at("run").at("step") == step - 1);
    for (const std::string& call : kept) CHECK(lines(killed.string() + ".paid").count(call) == paid_before.count(call));
  }
  REQUIRE(Victim(killed, true, stream).wait() == 0);
  CHECK(outcome_of(killed) == outcome_of(folder.path() / "whole"));
}

TEST_CASE("a run with a gate goes on as if nothing had happened, too", "[train][resume]") {
  const test::TemporaryFolder folder;
  const Gate gate{.confidence = 0.3, .proposals = 2};
  test::run({.folder = folder.path() / "whole", .gate = gate});
  const std::string whole = outcome_of(folder.path() / "whole");
  CHECK_THAT(whole, ContainsSubstring("\"accepted\":true") && ContainsSubstring("\"accepted\":false"));
  const std::size_t step = GENERATE(2, 5, 9);
  CAPTURE(step);
  const fs::path resumed = folder.path() / "resumed";
  CHECK_THROWS(test::run({.folder = resumed, .gate = gate, .callbacks = {std::make_shared<FailAfter>(step)}}));
  test::run({.folder = resumed, .resume = true, .gate = gate});
  CHECK(outcome_of(resumed) == whole);
}

TEST_CASE("a race of first proposals that was interrupted at any call ends as if it had not been, and pays for no reply twice",
          "[train][resume]") {
  const test::TemporaryFolder folder;
  std::size_t paid = 0;
  test::ResumableRun plan{.folder = folder.path() / "whole", .on_paid = [&](const std::string&) { ++paid; }};
  plan.max_epochs = 1;
  plan.validation_batch = 1;
  plan.first_values = {
      "Say what the message is about. The labels are money and travel.",
      "Reply with money or travel. money: invoice, refund, payment, fee. travel: flight, hotel, train, luggage.",
      "Say what the message is about: money or travel."};  // the present one
  test::run(plan);
  const std::string whole = outcome_of(folder.path() / "whole");
  CHECK_THAT(content(folder.path() / "whole" / "metrics.jsonl"), ContainsSubstring("\"kind\":\"race\""));
  const std::size_t all = paid;

  // Eight of the first validation, then those of the race.
  for (const std::size_t last : {8, 9, 10, 12, 14, 17}) check_resumed_after(last, plan, all, whole);
}

TEST_CASE("a search that was interrupted at any point of a chain ends as if it had not been, and pays for no reply twice",
          "[train][resume][search]") {
  const test::TemporaryFolder folder;
  std::size_t paid = 0;
  test::ResumableRun plan{.folder = folder.path() / "whole", .on_paid = [&](const std::string&) { ++paid; }};
  plan.max_epochs = 3;
  plan.validation_batch = 1;
  plan.search = {.chain = 2, .proposals = 2, .confirm = 2, .confidence = 0.6};
  plan.first_values = {"Say what the message is about. The labels are money and travel."};
  test::run(plan);
  const std::string whole = outcome_of(folder.path() / "whole");
  const std::string metrics = content(folder.path() / "whole" / "metrics.jsonl");
  CHECK_THAT(metrics, ContainsSubstring("\"kind\":\"race\"") && ContainsSubstring("\"race\":{\"accepted\":true") &&
                          ContainsSubstring("\"confirmation\":{"));
  const std::size_t all = paid;
  CAPTURE(all);

  for (std::size_t last = 1; last < all; last += 7) check_resumed_after(last, plan, all, whole);
}

TEST_CASE("a search that a limit ended goes on when the limit is raised, as if there had been none",
          "[train][resume][search]") {
  const test::TemporaryFolder folder;
  test::ResumableRun plan{.folder = folder.path() / "whole"};
  plan.validation_batch = 1;
  plan.search = {.chain = 2, .proposals = 2, .confirm = 4, .confidence = 0.6};
  const FitResult whole = test::run(plan);
  const std::int64_t all = whole.usage.total().usage.calls;
  for (const std::int64_t limit : {all / 3, all / 2, all * 3 / 4, all - 1}) {
    CAPTURE(limit, all);
    plan.folder = folder.path() / std::to_string(limit);
    plan.resume = false;
    plan.max_calls = limit;
    const FitResult first = test::run(plan);
    CHECK(first.ending == Ending::calls);
    CHECK(first.usage.total().usage.calls <= limit);
    plan.resume = true;
    plan.max_calls.reset();
    CHECK(test::run(plan).ending == Ending::epochs);
    CHECK(outcome_of(plan.folder) == outcome_of(folder.path() / "whole"));
  }
}

TEST_CASE("how many calls are in flight changes nothing to a search", "[train][resume][search][concurrent]") {
  const test::TemporaryFolder folder;
  test::ResumableRun plan{.folder = folder.path() / "many", .latency = std::chrono::microseconds(300)};
  plan.search = {.chain = 2, .proposals = 2, .confirm = 4};
  plan.validation_batch = 1;
  test::run(plan);
  plan.folder = folder.path() / "one";
  plan.one_at_a_time = true;
  test::run(plan);
  CHECK(outcome_of(folder.path() / "one") == outcome_of(folder.path() / "many"));
}

TEST_CASE("how many calls are in flight changes nothing", "[train][resume][concurrent]") {
  const test::TemporaryFolder folder;
  test::run({.folder = folder.path() / "many", .latency = std::chrono::microseconds(300)});
  test::run({.folder = folder.path() / "one", .one_at_a_time = true});
  CHECK(outcome_of(folder.path() / "one") == outcome_of(folder.path() / "many"));
}

TEST_CASE("a run folder is not used twice by mistake, and not by another agent", "[train][resume]") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "run";
  test::run({.folder = path, .max_epochs = 1});
  const std::string before = outcome_of(path);

  SECTION("without resume") { CHECK_THROWS_WITH(test::run({.folder = path}), ContainsSubstring("holds a run already")); }
  SECTION("a finished run has nothing left to do") {
    int paid = 0;
    const FitResult result =
        test::run({.folder = path, .resume = true, .max_epochs = 1, .on_paid = [&](const std::string&) { ++paid; }});
    CHECK(paid == 0);
    CHECK(result.steps == 4);
  }
  SECTION("more epochs go on where it ended") {
    test::run({.folder = folder.path() / "whole"});
    test::run({.folder = path, .resume = true});
    CHECK(outcome_of(path) == outcome_of(folder.path() / "whole"));
    return;
  }
  SECTION("another agent's checkpoint") {
    nlohmann::json checkpoint = nlohmann::json::parse(content(path / "checkpoint.json"));
    SECTION("of another class") {
      checkpoint["agent"] = "Translator";
      std::ofstream(path / "checkpoint.json") << checkpoint;
      CHECK_THROWS_WITH(test::run({.folder = path, .resume = true}),
                        ContainsSubstring("class Translator") && ContainsSubstring("ResumableAgent"));
    }
    SECTION("with other parameters") {
      checkpoint["state"]["tone"] = checkpoint["state"]["prompt"];
      std::ofstream(path / "checkpoint.json") << checkpoint;
      CHECK_THROWS_WITH(test::run({.folder = path, .resume = true}), ContainsSubstring("tone"));
    }
    SECTION("of a newer format") {
      checkpoint["tgd_checkpoint"] = 99;
      std::ofstream(path / "checkpoint.json") << checkpoint;
      CHECK_THROWS_WITH(test::run({.folder = path, .resume = true}), ContainsSubstring("format is 99"));
    }
    SECTION("that is none") {
      std::ofstream(path / "checkpoint.json") << "{";
      CHECK_THROWS_WITH(test::run({.folder = path, .resume = true}),
                        ContainsSubstring("cannot be used") && ContainsSubstring("checkpoint.json:1:"));
    }
    return;
  }
  CHECK(outcome_of(path) == before);
}

TEST_CASE("a checkpoint of the first format still loads", "[train][resume]") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "run";
  fs::create_directories(path);
  fs::copy_file(TGD_TEST_SOURCE_DIR "/train/checkpoint_1.json", path / "checkpoint.json");
  const FitResult result = test::run({.folder = path, .resume = true});
  CHECK(result.steps == 12);
  CHECK(result.first->metrics.score == 0.5);
  CHECK(result.usage.total().usage.calls >
        nlohmann::json::parse(content(TGD_TEST_SOURCE_DIR "/train/checkpoint_1.json"))["cost"]["simulated"]["usage"]["calls"]);
}

TEST_CASE("half a checkpoint beside the whole one, and half a line in the journal, do no harm", "[train][resume]") {
  const test::TemporaryFolder folder;
  test::run({.folder = folder.path() / "whole"});
  const fs::path path = folder.path() / "run";
  CHECK_THROWS(test::run({.folder = path, .callbacks = {std::make_shared<FailAfter>(5)}}));
  std::ofstream(path / "checkpoint.json.tmp") << "{\"tgd_check";
  std::ofstream(path / "journal.jsonl", std::ios::app) << "{\"kind\":\"call\",\"i";
  std::ofstream(path / "metrics.jsonl", std::ios::app) << "{\"kind\": \"st";
  test::run({.folder = path, .resume = true});
  CHECK(outcome_of(path) == outcome_of(folder.path() / "whole"));
}

TEST_CASE("a process that dies before it has put a run's files right leaves them to the next one", "[train][resume]") {
  const test::TemporaryFolder folder;
  test::run({.folder = folder.path() / "whole"});
  const fs::path path = folder.path() / "run";
  CHECK_THROWS(test::run({.folder = path, .callbacks = {std::make_shared<FailAfter>(5)}}));
  // What is behind the last checkpoint, and counts no longer.
  const std::string line = R"({"kind":"step","step":6})";
  std::ofstream(path / "journal.jsonl", std::ios::app)
      << detail::sealed({{"kind", "note"}, {"view", "metrics.jsonl"}}, "line", line);
  std::ofstream(path / "metrics.jsonl", std::ios::app) << line << "\n";
  const std::string journal = content(path / "journal.jsonl");
  fs::copy(path, folder.path() / "other", fs::copy_options::recursive);
  test::run({.folder = folder.path() / "other", .resume = true});
  const std::string longer = content(folder.path() / "other/journal.jsonl");
  REQUIRE(longer.starts_with(journal));
  const std::string session = longer.substr(journal.size(), longer.find('\n', journal.size()) + 1 - journal.size());
  CHECK_THAT(session, ContainsSubstring("session"));

  const int deaths = GENERATE(1, 2);
  for (int i = 0; i < deaths; ++i) std::ofstream(path / "journal.jsonl", std::ios::app) << session;
  test::run({.folder = path, .resume = true});
  CHECK(outcome_of(path) == outcome_of(folder.path() / "whole"));
  CHECK_FALSE(fs::exists(path / "metrics.jsonl.new"));
}

TEST_CASE("a run folder that cannot be written ends the run and says so; the last checkpoint is whole", "[train][resume]") {
  const test::TemporaryFolder folder;
  SECTION("from the beginning") {
    std::ofstream(folder.path() / "file") << "in the way";
    CHECK_THROWS_WITH(test::run({.folder = folder.path() / "file" / "run"}), ContainsSubstring("cannot make the run folder"));
  }
  SECTION("later on") {
    // A folder is in the way of the next checkpoint.
    struct Block : TrainerCallback {
      explicit Block(fs::path folder_of_run) : path(std::move(folder_of_run)) {}
      void on_step(const StepReport& report) override {
        if (report.step != 3) return;
        fs::rename(path / "checkpoint.json", path / "kept.json");
        fs::create_directory(path / "checkpoint.json");
      }
      fs::path path;
    };
    const fs::path path = folder.path() / "run";
    CHECK_THROWS_WITH(test::run({.folder = path, .callbacks = {std::make_shared<Block>(path)}}),
                      ContainsSubstring("checkpoint.json"));
    fs::remove(path / "checkpoint.json");
    fs::rename(path / "kept.json", path / "checkpoint.json");
    CHECK(nlohmann::json::parse(content(path / "checkpoint.json")).at("run").at("step") == 2);
    test::run({.folder = folder.path() / "whole"});
    test::run({.folder = path, .resume = true});
    CHECK(outcome_of(path) == outcome_of(folder.path() / "whole"));
  }
}

TEST_CASE("a disk that fills up ends the run; the last checkpoint is whole and the run goes on from it", "[train][resume]") {
  // Stands in for a full disk: no file may grow beyond what the checkpoint needs.
  struct Fill : TrainerCallback {
    void on_step(const StepReport& report) override {
      if (report.step == step) limit(2'000);
    }
    static void limit(rlim_t bytes) {
      rlimit now{};
      getrlimit(RLIMIT_FSIZE, &now);
      now.rlim_cur = bytes == RLIM_INFINITY ? now.rlim_max : bytes;
      setrlimit(RLIMIT_FSIZE, &now);
    }
    std::size_t step = 3;
  };
  signal(SIGXFSZ, SIG_IGN);
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "run";
  std::string message;
  try {
    test::run({.folder = path, .callbacks = {std::make_shared<Fill>()}});
  } catch (const std::exception& error) {
    message = error.what();
  }
  Fill::limit(RLIM_INFINITY);
  CHECK_THAT(message, ContainsSubstring(path.string()) && ContainsSubstring("File too large"));
  CHECK(nlohmann::json::parse(content(path / "checkpoint.json")).at("run").at("step") == 2);
  test::run({.folder = folder.path() / "whole"});
  test::run({.folder = path, .resume = true});
  CHECK(outcome_of(path) == outcome_of(folder.path() / "whole"));
}
