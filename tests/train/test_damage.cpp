#include <algorithm>
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

TEST_CASE("a damaged journal is refused by file and line; what a crash left at its end is passed over", "[train][damage]") {
  const FinishedRun run;
  const std::string all = run.good("journal.jsonl");
  std::string good;
  for (std::size_t at = 0, line = 0; line < 12; ++line, at = good.size()) good = all.substr(0, all.find('\n', at) + 1);
  const auto read = [&](const std::string& content) {
    std::size_t records = 0;
    run.write("journal.jsonl", content);
    detail::read_journal(run.path / "journal.jsonl", [&records](const auto&, std::uint64_t) { ++records; });
    return records;
  };
  REQUIRE(read(good) == 12);

  SECTION("whatever byte is another one, its line is known by its sum") {
    const std::size_t last = good.rfind('\n', good.size() - 2) + 1;
    const auto check = [&](std::size_t at) {
      std::string damaged = good;
      damaged[at] = damaged[at] == 'x' ? 'y' : 'x';
      CAPTURE(at);
      if (at >= last) {
        CHECK(read(damaged) == 11);
      } else if (at == last - 1) {
        CHECK(read(damaged) == 10);  // both lines have become one, and it is the last
      } else {
        CHECK_THROWS_WITH(read(damaged), ContainsSubstring("journal.jsonl:") && ContainsSubstring("this line is damaged"));
      }
    };
    for (std::size_t at = 0; at < good.size(); at += 7) check(at);
    for (std::size_t end = good.find('\n'); end != good.npos; end = good.find('\n', end + 1)) check(end);
  }
  SECTION("wherever a crash cut it off, the whole lines count") {
    for (std::size_t size = 0; size < good.size(); size += 13) {
      const auto lines =
          static_cast<std::size_t>(std::count(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
      CHECK(read(good.substr(0, size)) == lines);
    }
  }
  SECTION("a record of another type than it should be is named, with its place") {
    const auto sealed = [](const nlohmann::ordered_json& record) { return detail::sealed(record); };
    run.write("journal.jsonl", all + sealed({{"kind", "call"}, {"id", "seven"}}));
    CHECK_THROWS_WITH(run.go_on(), ContainsSubstring("journal.jsonl:") && ContainsSubstring("/id: expected a whole number"));
    run.write("journal.jsonl", all + sealed({{"kind", "note"}, {"view", 1}, {"line", 2}}));
    CHECK_THROWS_WITH(run.go_on(), ContainsSubstring("/view: expected a text"));
    run.write("journal.jsonl", all + sealed({{"kind", "of a later version"}}));
    run.go_on();
  }
  SECTION("one that lacks what its checkpoint is about is refused") {
    run.write("journal.jsonl", good);
    CHECK_THROWS_WITH(run.go_on(), ContainsSubstring("journal.jsonl, which has only"));
  }
}

TEST_CASE("what somebody has changed in a run folder stays, and the run's own goes beside it", "[train][resume]") {
  const FinishedRun run;
  const auto now = [&](const std::string& name) { return detail::read_file(run.path / name); };
  run.write("prompt.txt", "My own words.\n");
  run.write("metrics.jsonl", "{\"mine\": true}\n");
  run.go_on();
  CHECK(now("prompt.txt") == "My own words.\n");
  CHECK(now("metrics.jsonl") == "{\"mine\": true}\n");
  CHECK(now("prompt.txt.new") == run.good("prompt.txt"));
  CHECK(now("metrics.jsonl.new") == run.good("metrics.jsonl"));

  SECTION("what is gone, or cut off, is made again") {
    fs::remove(run.path / "metrics.jsonl");
    run.write("calls.jsonl", run.good("calls.jsonl").substr(0, 300));
    run.go_on();
    CHECK(now("metrics.jsonl") == run.good("metrics.jsonl"));
    CHECK(now("calls.jsonl") == run.good("calls.jsonl"));
  }
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
