// The run folder: who may work in it, and who may read it.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>
#include <tgd/lm/recorded.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/trainer.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"
#include "train/checkpoint.hpp"
#include "train/journal.hpp"
#include "train/resumable_run.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

/// Another process that has the folder until it is killed.
class Holder {
 public:
  explicit Holder(const fs::path& folder) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    id_ = ::fork();
    REQUIRE(id_ >= 0);
    if (id_ == 0) {
      Trainer trainer({.run_folder = folder});
      const auto held = trainer.hold_run_folder();
      [[maybe_unused]] const ssize_t ignored = ::write(ends[1], "x", 1);
      while (true) ::pause();
    }
    char ready = 0;
    REQUIRE(::read(ends[0], &ready, 1) == 1);
    for (const int end : ends) ::close(end);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { kill(); }

  pid_t id() const { return id_; }
  void kill() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
    id_ = -1;
  }

 private:
  pid_t id_ = -1;
};

struct NamedAgent : Module {
  explicit NamedAgent(const std::string& name)
      : prompt(register_parameter(name, {"Say yes.", "instructions"})),
        optimizer(std::make_shared<optim::TGD>(parameters(), optim::TGDOptions{.model = model})) {}
  std::optional<StepResult> training_step(std::tuple<Variable>&) { return std::nullopt; }
  std::shared_ptr<optim::Optimizer> configure_optimizers() { return optimizer; }

  std::shared_ptr<lm::Stub> model = lm::Stub::answering([](const lm::Request&) { return "yes"; });
  Parameter prompt;
  std::shared_ptr<optim::TGD> optimizer;
};

}  // namespace

TEST_CASE("a run folder is one process's at a time, and a second one is told whose", "[train]") {
  const test::TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  Holder holder(run);
  CHECK_THROWS_WITH(test::run({.folder = run, .max_epochs = 1}),
                    ContainsSubstring("is in use by process " + std::to_string(holder.id()) + " on ") &&
                        ContainsSubstring("since 20") && ContainsSubstring("UTC"));
  CHECK_FALSE(fs::exists(run / "checkpoint.json"));

  holder.kill();  // what it leaves holds nobody up
  CHECK(fs::exists(run / "run.lock"));
  test::run({.folder = run, .max_epochs = 1});
  CHECK(fs::exists(run / "checkpoint.json"));
  CHECK_FALSE(fs::exists(run / "run.lock"));
}

TEST_CASE("a run folder is one Trainer's at a time in one process, too, and free after fit()", "[train]") {
  const test::TemporaryFolder folder;
  Trainer first({.run_folder = folder.path()});
  auto held = first.hold_run_folder();
  CHECK(first.hold_run_folder() == held);
  Trainer second({.run_folder = folder.path()});
  CHECK_THROWS_AS(second.hold_run_folder(), StateError);
  held.reset();
  CHECK_NOTHROW(second.hold_run_folder());
  CHECK_THROWS_AS(Trainer().hold_run_folder(), ValueError);
}

TEST_CASE("the files of a run are its user's alone, and none is written through a link", "[train]") {
  const test::TemporaryFolder folder;
  const mode_t before = ::umask(0);
  const std::shared_ptr<void> restored(nullptr, [before](void*) { ::umask(before); });
  SECTION("a new folder") {
    const fs::path run = folder.path() / "run";
    test::run({.folder = run, .max_epochs = 1, .keep_checkpoints = 1});
    CHECK(mode_of(run) == 0700);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(run)) {
      INFO(entry.path());
      CHECK(mode_of(entry.path()) == 0600);
      CHECK(entry.path().extension() != ".tmp");
      ++files;
    }
    CHECK(files >= 6);
  }
  SECTION("links in the folder") {
    const fs::path run = folder.path() / "run";
    fs::create_directory(run);
    const fs::path victim = folder.write("victim", "{precious}\n");
    const std::string name =
        GENERATE("checkpoint.json", "config.json", "prompt.txt", "metrics.jsonl", "journal.jsonl", "calls.jsonl", "run.lock");
    INFO(name);
    fs::create_symlink(victim, run / name);
    try {
      test::run({.folder = run, .resume = name != "checkpoint.json", .max_epochs = 1});
    } catch (const Error& error) {
      CHECK_THAT(error.what(), ContainsSubstring(run.string()));
    }
    CHECK(tgd::detail::read_file(victim) == "{precious}\n");
  }
}

TEST_CASE("a cassette has every reply that a run used, whichever of its processes gave it again", "[train]") {
  const test::TemporaryFolder folder;
  const auto ask = [&](const std::string& text, bool goes_on, const detail::JournalPosition& from) {
    Trainer trainer({.run_folder = folder.path()});
    detail::Journal& journal = detail::journal_of(trainer);
    journal.set_recording(true);
    journal.open(folder.path(), goes_on, from);
    const lm::ChatModelPtr model = trainer.track(lm::Stub::answering([](const lm::Request&) { return "yes"; }), "student");
    model->chat(lm::Request{.messages = {{"user", text}}});
    journal.write_cassette("run.cassette");
    return journal.mark();
  };
  ask("first", false, {});
  const detail::JournalPosition border = ask("first", true, {});  // given again, and nothing is asked
  ask("second", true, border);
  CHECK(lm::Cassette({.path = folder.path() / "run.cassette", .mode = lm::CassetteMode::replay}).size() == 2);
}

TEST_CASE("a parameter whose name can be no file's is refused before anything is asked", "[train]") {
  const test::TemporaryFolder folder;
  for (const std::string& name : {std::string("a/b"), std::string(300, 'a'), std::string("a\nb")}) {
    NamedAgent agent(name);
    std::vector<std::tuple<Variable>> batches{{Variable("x", "input")}};
    Trainer trainer({.run_folder = folder.path() / "run"});
    CHECK_THROWS_WITH(trainer.fit(agent, batches), ContainsSubstring("in a file of its name"));
    CHECK(agent.model->requests().empty());
    CHECK_FALSE(fs::exists(folder.path() / "run/config.json"));
    CHECK_NOTHROW(Trainer({.max_epochs = 1}).fit(agent, batches));
  }
}

TEST_CASE("no file of a run hides what stands in it", "[train]") {
  const test::TemporaryFolder folder;
  const std::string hostile = "turned \u202E around \u009B[2J";
  StepReport report;
  report.gate = GateReport{.reason = hostile};
  std::string checkpoint;
  detail::write_text({.agent = hostile}, {}, checkpoint);
  const std::string record = detail::sealed({{"kind", "note"}, {"line", hostile}});
  for (const std::string& text : {detail::metrics_line(report), checkpoint, record}) {
    CAPTURE(text);
    CHECK_THAT(text, ContainsSubstring("turned \\u202e around \\u009b[2J") && !ContainsSubstring("\u202E"));
    CHECK_THAT(nlohmann::json::parse(text).dump(), ContainsSubstring(hostile));
  }
}
