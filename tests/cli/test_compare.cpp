// Runs listed and compared.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/report_run.hpp"
#include "cli/table.hpp"
#include "cli/tickets.hpp"
#include "core/width.hpp"
#include "report/comparison.hpp"
#include "report/page.hpp"
#include "report/run_list.hpp"
#include "run/paired.hpp"
#include "run/word_diff.hpp"

using namespace tgd;
using namespace tgd::cli;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

using Files = std::map<std::string, std::string>;

/// The hand-made run, and one that has other settings, another prompt and other answers.
Files other_run() {
  Files files = test::hand_made_run();
  files["task.json"] = R"({"name": "mails", "training": {"epochs": 9},
    "parameters": {"prompt": {"role": "instructions", "value": "Sort the mail."}},
    "evaluator": {"type": "exact_match"}})";
  files["result.json"] = R"({"name": "mails", "status": "ok", "ending": "all epochs are done", "accuracy": {},
    "steps": 3, "best": {"epoch": 1, "step": 1}, "version": "0.1.0",
    "models": {"student": {"provider": "openai", "model": "small"}},
    "cost": {"total": {"usage": {"calls": 5, "prompt_tokens": 70, "completion_tokens": 5}, "failed": 0, "cost_usd": 0.5, "unknown_calls": 0}}})";
  files["versions.jsonl"] =
      R"({"kind":"first","step":0,"parameters":{"prompt":{"role":"instructions","value":"Sort the mail."}}}
{"kind":"step","epoch":1,"step":1,"parameters":{"prompt":{"outcome":"updated","value":"Sort the letter: yes or no.","requests":1}}}
)";
  // Another row number and another order: samples are the same by their texts.
  files["samples.jsonl"] =
      R"({"kind":"part","part":"validation","rows":[1,2,30,4],"targets":["no","yes","yes","no"],"inputs":["Thanks.","Fire!","Never seen.","All is well."]}
{"kind":"scores","part":"validation","step":1,"predictions":["no","no","yes","no"],"scores":[1,0,1,1]}
)";
  return files;
}

OrderedJson comparison_of(const Files& first, const Files& other) {
  const test::TemporaryFolder folder;
  return compare_runs({read_run(test::write_run(folder, first, "first")), read_run(test::write_run(folder, other, "other"))});
}

std::string marked(std::string_view before, std::string_view after) {
  std::string text;
  for (const WordChange& change : word_diff(before, after)) {
    text += change.kind == WordChange::Kind::same   ? change.text
            : change.kind == WordChange::Kind::gone ? "[-" + change.text + "-]"
                                                    : "{+" + change.text + "+}";
  }
  return text;
}

}  // namespace

TEST_CASE("a prompt's difference is told word by word", "[cli][compare]") {
  CHECK(marked("Sort the mail.", "Sort the mail.") == "Sort the mail.");
  CHECK(marked("Sort the mail.", "Sort the letter.") == "Sort the [-mail-]{+letter+}.");
  CHECK(marked("Be very brief.", "Be quite short.") == "Be [-very brief-]{+quite short+}.");
  CHECK(marked("a\nb", "a\nc") == "a\n[-b-]{+c+}");
  CHECK(marked("", "new") == "{+new+}");
  CHECK(marked("Größe", "Grösse") == "[-Größe-]{+Grösse+}");
  CHECK(marked("分類する", "分類した") == "分類[-する-]{+した+}");
  CHECK(marked("a \xFF z", "a \xFE z") == "a [-\xFF-]{+\xFE+} z");
  const auto changes = word_diff("Sort the mail.", "Sort all of the mail, quickly.");
  CHECK(count_words(changes, WordChange::Kind::added) == 4);
  CHECK(count_words(changes, WordChange::Kind::gone) == 0);
}

TEST_CASE("of a difference both texts can be read off again", "[cli][compare]") {
  const auto [before, after] = GENERATE(table<std::string, std::string>(
      {{"", ""}, {"one two", "two one"}, {" a  b\n\nc", "a b\nc "}, {"x", ""}, {"a b c d", "a x c y"}, {"a-b", "a - b"}}));
  std::string first;
  std::string second;
  for (const WordChange& change : word_diff(before, after)) {
    if (change.kind != WordChange::Kind::added) first += change.text;
    if (change.kind != WordChange::Kind::gone) second += change.text;
  }
  CHECK(first == before);
  CHECK(second == after);
}

TEST_CASE("an interval says how sure a mean is", "[cli][compare]") {
  SECTION("of right and wrong answers by Wilson") {
    // The example of Newcombe, Statistics in Medicine 17 (1998): 81 of 263 is 0.2553 to 0.3662.
    std::vector<double> scores(263, 0.0);
    std::fill_n(scores.begin(), 81, 1.0);
    const auto interval = interval_of_mean(scores);
    REQUIRE(interval);
    CHECK(interval->low == Approx(0.2553).margin(1e-4));
    CHECK(interval->high == Approx(0.3662).margin(1e-4));
  }
  SECTION("also where all are right") {
    const auto interval = interval_of_mean(std::vector<double>(10, 1.0));
    REQUIRE(interval);
    CHECK(interval->low == Approx(0.7225).margin(1e-4));
    CHECK(interval->high == Approx(1));
  }
  SECTION("of other scores by Student") {
    // t(4) = 2.7764; the standard error of 1, 2, 3, 4, 5 is sqrt(0.5).
    const auto interval = interval_of_mean(std::vector<double>{1, 2, 3, 4, 5});
    REQUIRE(interval);
    CHECK(interval->high - 3 == Approx(2.7764 * std::sqrt(0.5)).epsilon(1e-4));
    // t(29) = 2.0452.
    std::vector<double> many;
    for (int i = 0; i < 30; ++i) many.push_back(i % 3);
    const double deviation = std::sqrt(20.0 / 29);
    CHECK((interval_of_mean(many)->high - 1) * std::sqrt(30.0) / deviation == Approx(2.0452).epsilon(1e-3));
  }
  SECTION("which one sample does not tell") { CHECK_FALSE(interval_of_mean(std::vector<double>{1})); }
}

TEST_CASE("runs are compared on the samples that both have measured", "[cli][compare]") {
  const OrderedJson document = comparison_of(test::hand_made_run(), other_run());
  REQUIRE(document["comparisons"].size() == 1);
  const OrderedJson& comparison = document["comparisons"][0];
  SECTION("which are the same by their texts, whatever their rows") {
    REQUIRE(comparison["parts"].size() == 1);
    const OrderedJson& part = comparison["parts"][0];
    CHECK(part["part"] == "validation");
    CHECK(part["shared"] == 3);
    CHECK(part["first"].get<double>() == Approx(2.0 / 3));
    CHECK(part["other"].get<double>() == Approx(2.0 / 3));
    CHECK(part["won"] == 1);
    CHECK(part["lost"] == 1);
    CHECK(part["p_value"] == 1.0);
  }
  SECTION("with the samples won and lost") {
    REQUIRE(comparison["won"].size() == 1);
    CHECK(comparison["won"][0]["input"] == "Thanks.");
    CHECK(comparison["won"][0]["row"] == 12);
    CHECK(comparison["won"][0]["first"]["prediction"] == "maybe");
    CHECK(comparison["won"][0]["other"]["prediction"] == "no");
    REQUIRE(comparison["lost"].size() == 1);
    CHECK(comparison["lost"][0]["input"] == "Fire!");
  }
  SECTION("with what was set differently, and prompts as texts") {
    CHECK(comparison["settings"] == OrderedJson::array({{{"setting", "/training/epochs"}, {"first", nullptr}, {"other", 9}}}));
    CHECK(comparison["prompts"][0]["added"] == 1);
    CHECK(comparison["prompts"][0]["gone"] == 1);
    CHECK(comparison["prompts"][0]["changes"] ==
          OrderedJson::array({{"same", "Sort the "}, {"gone", "mail"}, {"new", "letter"}, {"same", ": yes or no."}}));
  }
  SECTION("and each is told by itself, with intervals") {
    CHECK(document["runs"][0]["cost_usd"].is_null());
    CHECK(document["runs"][1]["cost_usd"] == 0.5);
    CHECK(document["runs"][1]["models"] == "openai/small");
    CHECK(document["runs"][0]["models"] == "student openai/small, teacher openai/large");
    const OrderedJson& interval = document["runs"][0]["parts"][0]["interval"];
    CHECK(interval[0].get<double>() == Approx(0.15).margin(0.01));
    CHECK(interval[1].get<double>() == Approx(0.85).margin(0.01));
  }
}

TEST_CASE("scores of different metrics are not compared", "[cli][compare]") {
  Files other = other_run();
  const std::string metric = "exact_match";
  other["task.json"].replace(other["task.json"].find(metric), metric.size(), "f1");
  const OrderedJson document = comparison_of(test::hand_made_run(), other);
  CHECK(document["comparisons"][0]["parts"].empty());
  CHECK(document["comparisons"][0]["won"].empty());
  REQUIRE(document["notes"].size() == 1);
  CHECK_THAT(document["notes"][0].get<std::string>(), ContainsSubstring("score answers in different ways"));
}

TEST_CASE("a line about a run says what there is to know", "[cli][compare]") {
  const test::TemporaryFolder folder;
  SECTION("from its result") {
    const RunLine line = run_line(test::write_run(folder, test::hand_made_run()));
    CHECK(line.started == "2026-11-21 19:56");
    CHECK(line.task == "mails");
    CHECK(line.part == "validation");
    CHECK(line.first == 0.25);
    CHECK(line.best == 0.5);
    CHECK(line.status == "failed");
    CHECK(line.ending == "the endpoint went away");
    CHECK_FALSE(line.cost);
  }
  SECTION("from its files where it has no result") {
    Files files = test::hand_made_run();
    files.erase("result.json");
    const RunLine line = run_line(test::write_run(folder, files));
    CHECK(line.status == "unfinished");
    CHECK(line.first == 0.25);
    CHECK(line.best == 0.5);
    CHECK(line.calls == 4);
  }
  SECTION("while somebody works on it, and after that one was killed") {
    const fs::path run = test::write_run(folder, test::hand_made_run());
    char host[256] = {};
    REQUIRE(::gethostname(host, sizeof host - 1) == 0);
    const auto lock = [&](int process) {
      folder.write("run/run.lock", nlohmann::json{{"process", process}, {"host", host}, {"since", "now"}}.dump());
    };
    lock(::getpid());
    CHECK(run_line(run).status == "running");
    lock(0x3FFFFFFF);  // above the largest number of a process
    CHECK(run_line(run).status == "failed");
  }
}

TEST_CASE("runs are listed by their time", "[cli][compare]") {
  const test::TemporaryFolder folder;
  test::write_run(folder, test::hand_made_run(), "runs/b");
  Files earlier = test::hand_made_run();
  earlier["calls.jsonl"] = R"({"timestamp":"2025-01-02T03:04:05.000Z","tgd.outcome":"ok"})";
  test::write_run(folder, earlier, "runs/c");
  folder.write("runs/notes/todo.txt", "no run");

  SECTION("for programs") {
    const test::ProcessResult result = test::run_tgd({"runs", "--json"}, {.folder = folder.path()});
    CHECK(result.status == 0);
    const auto runs = nlohmann::json::parse(result.out);
    REQUIRE(runs.size() == 2);
    CHECK(runs[0]["folder"] == "runs/c");
    CHECK(runs[0]["started"] == "2025-01-02 03:04");
    CHECK(runs[1]["best"] == 0.5);
    CHECK(runs[1]["status"] == "failed");
    CHECK(runs[1]["cost_usd"].is_null());
  }
  SECTION("for people") {
    const test::ProcessResult result = test::run_tgd({"runs"}, {.folder = folder.path()});
    CHECK(result.status == 0);
    CHECK_THAT(result.out, ContainsSubstring("25.0%") && ContainsSubstring("50.0%") && ContainsSubstring("unknown"));
    CHECK(result.out.find("runs/c") < result.out.find("runs/b"));
  }
  SECTION("of a folder that is not there") {
    const test::ProcessResult result = test::run_tgd({"runs", "elsewhere"}, {.folder = folder.path()});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("there is no folder elsewhere"));
  }
}

TEST_CASE("two runs of the program are compared in words, as a document and as a page", "[cli][compare]") {
  const test::TemporaryFolder folder;
  test::write_run(folder, test::hand_made_run(), "first");
  test::write_run(folder, other_run(), "other");
  SECTION("in words") {
    const test::ProcessResult result = test::run_tgd({"compare", "first", "other"}, {.folder = folder.path()});
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    CHECK_THAT(result.out, ContainsSubstring("on 3 shared samples") && ContainsSubstring("1 won, 1 lost") &&
                               ContainsSubstring("/training/epochs") &&
                               ContainsSubstring("Sort the [-mail-]{+letter+}: yes or no.") &&
                               ContainsSubstring("1 word added, 1 gone") && ContainsSubstring("validation #12"));
  }
  SECTION("as a document and a page") {
    const test::ProcessResult result =
        test::run_tgd({"compare", "first", "other", "--json", "-o", "page.html"}, {.folder = folder.path()});
    CHECK(result.status == 0);
    CHECK(nlohmann::json::parse(result.out)["comparisons"].size() == 1);
    const std::string page = test::read_text(folder.path() / "page.html");
    CHECK_THAT(page, ContainsSubstring("Content-Security-Policy") && ContainsSubstring("/training/epochs"));
    CHECK(page.find("{{") == page.npos);
  }
  SECTION("one alone is a mistake") {
    const test::ProcessResult result = test::run_tgd({"compare", "first"}, {.folder = folder.path()});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("two runs or more"));
  }
}

TEST_CASE("a table is as wide as the terminal: what is longest is shortened", "[cli][compare]") {
  const std::vector<TableColumn> columns{
      {.name = "folder", .least = 6}, {.name = "n", .is_number = true}, {.name = "end", .least = 4}};
  const std::vector<std::vector<std::string>> rows{{"runs/mails-20261121-195647", "7", "all epochs are done"},
                                                   {"runs/分類", "12", "ok"}};
  for (const std::size_t width : {120U, 40U, 24U}) {
    for (const std::string& line : table_lines(columns, rows, width)) CHECK(detail::display_width(line) <= width);
  }
  CHECK(table_lines(columns, rows, 120)[1] == "runs/mails-20261121-195647   7  all epochs are done");
  CHECK(table_lines(columns, rows, 30)[1].find("…") != std::string::npos);
  // Nothing that has to be whole is cut.
  CHECK(table_lines(columns, rows, 5)[2].find("12") != std::string::npos);
}
