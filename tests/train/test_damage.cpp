#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <tgd/lm/observed.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/damage.hpp"
#include "support/temporary_folder.hpp"
#include "train/checkpoint.hpp"
#include "train/journal.hpp"
#include "train/resumable_run.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace fs = std::filesystem;

namespace {

/// The files of a run, and what goes on from a changed one.
struct FinishedRun {
  test::TemporaryFolder folder;
  fs::path path = folder.path() / "run";

  FinishedRun() {
    test::run({.folder = path, .max_epochs = 1, .gate = {.confidence = 0.1}});
    fs::copy(path, folder.path() / "good");
  }

  std::string good(const std::string& name) const { return detail::read_file(folder.path() / "good" / name); }
  void write(const std::string& name, const std::string& content) const { std::ofstream(path / name) << content; }
  void go_on() const { test::run({.folder = path, .resume = true, .max_epochs = 1, .gate = {.confidence = 0.1}}); }
};

}  // namespace

TEST_CASE("a damaged checkpoint is refused by file and place, or is read as what it says", "[train][damage]") {
  const FinishedRun run;
  // What the agent, its optimizer and its loader read themselves is tried where they are, and makes this one long.
  nlohmann::json checkpoint = nlohmann::json::parse(run.good("checkpoint.json"));
  checkpoint.update({{"state", nlohmann::json::object()}, {"optimizers", {nlohmann::json::object()}}, {"loader", nullptr}});
  const std::string good = checkpoint.dump();
  const auto read = [&](const std::string& content) {
    run.write("checkpoint.json", content);
    detail::read_checkpoint(run.path / "checkpoint.json");
  };
  test::check_damages(test::damaged_bytes(good), "checkpoint.json", read);
  test::check_damages(test::damaged_values(good), "checkpoint.json", read);
}

TEST_CASE("a run does not go on from a damaged checkpoint, and says what is wrong with it", "[train][damage]") {
  const FinishedRun run;
  nlohmann::json checkpoint = nlohmann::json::parse(run.good("checkpoint.json"));
  struct Row {
    const char* place;
    nlohmann::json value;
  };
  const std::vector<Row> rows = {{"/run/best_values", nlohmann::json::array()},
                                 {"/run/best_values", {"a", "b"}},
                                 {"/run/best_values/0", 7},
                                 {"/run/best_values/0", {"a", "b"}},
                                 {"/run/first", nullptr},
                                 {"/run/best/metrics", 1},
                                 {"/run/best/score", "x"},
                                 {"/run/step", -1},
                                 {"/run/seconds", 1e300},
                                 {"/run/seconds", -5},
                                 {"/optimizers", nlohmann::json::array()},
                                 {"/optimizers/0/param_groups/0/momentum", "two"},
                                 {"/loader/words", "abc"},
                                 {"/usage/student/calls", "x"},
                                 {"/usage/student/calls", -3},
                                 {"/cost/student/usage/prompt_tokens", -3},
                                 {"/cost/student/unknown_calls", 18446744073709551615U},
                                 {"/state/prompt/data", {1, 2}}};
  for (const Row& row : rows) {
    CAPTURE(row.place, row.value);
    nlohmann::json damaged = checkpoint;
    damaged[nlohmann::json::json_pointer(row.place)] = row.value;
    run.write("checkpoint.json", damaged.dump());
    const std::string first_key = std::string(row.place).substr(0, std::string(row.place).find('/', 1));
    CHECK_THROWS_WITH(run.go_on(), ContainsSubstring((run.path / "checkpoint.json").string()) && ContainsSubstring(first_key));
  }
  run.write("checkpoint.json", run.good("checkpoint.json"));
  run.go_on();
}

TEST_CASE("a damaged journal is refused by file and line; what a crash cut off is passed over", "[train][damage]") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "journal.jsonl";
  const std::string good =
      R"({"interval":2,"call":"ab","number":0,"reply":{"content":"yes","model":"m","usage":{"calls":1,"prompt_tokens":7}}})"
      "\n"
      R"({"interval":2,"call":"ab","number":1,"reply":{"content":"no","alternatives":["a","b"]}})"
      "\n";
  const auto read = [&](const std::string& content) {
    std::ofstream(path) << content;
    detail::Journal journal(lm::PriceTable::empty());
    journal.open(path, 2);
  };
  test::check_damages(test::damaged_bytes(good), "journal.jsonl", read);
  test::check_damages(test::damaged_lines(good), "journal.jsonl", read);

  const auto replies = [&](const std::string& content) {
    std::ofstream(path) << content;
    detail::Journal journal(lm::PriceTable::empty());
    journal.open(path, 2);
    std::vector<std::string> found;
    for (std::uint64_t number = 0; number < 3; ++number) {
      if (const auto reply = journal.recall({"ab", 2, number})) found.push_back(reply->value().content);
    }
    return found;
  };
  CHECK(replies(good) == std::vector<std::string>{"yes", "no"});
  CHECK(replies(good + good.substr(0, 40)) == std::vector<std::string>{"yes", "no"});
  CHECK_THROWS_WITH(read(good.substr(0, 40) + "\n" + good), ContainsSubstring("journal.jsonl:1:"));
  CHECK_THROWS_WITH(read(good + R"({"interval":"2"})"
                                "\n"),
                    ContainsSubstring("journal.jsonl:3: /interval: expected a whole number"));
}

TEST_CASE("a damaged ledger is refused by file and line; what a crash cut off is passed over", "[train][damage]") {
  const FinishedRun run;
  const std::string all = run.good("calls.jsonl");
  const std::string good = all.substr(0, all.find('\n', all.find('\n') + 1) + 1);
  const auto read = [&](const std::string& content) {
    run.write("calls.jsonl", content);
    lm::read_ledger(run.path / "calls.jsonl");
  };
  test::check_damages(test::damaged_bytes(good), "calls.jsonl:", read);
  run.write("calls.jsonl", good + good.substr(0, 40));
  CHECK(lm::read_ledger(run.path / "calls.jsonl").size() == 2);
  run.write("calls.jsonl", good.substr(0, 40) + "\n" + good);
  CHECK_THROWS_WITH(lm::read_ledger(run.path / "calls.jsonl"), ContainsSubstring("calls.jsonl:1:"));
}
