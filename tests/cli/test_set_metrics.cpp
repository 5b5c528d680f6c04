// What is measured on whole parts, and limits on metrics, through the library and the program.
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/task_forms.hpp"
#include "cli/tickets.hpp"
#include "task/set_metrics.hpp"
#include "task/task.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Texts = std::vector<std::string>;
using Value = nlohmann::json;

namespace {

/// A task that reports one metric.
cli::Task reporting(const std::string& metric) {
  const test::TaskFolder folder;
  nlohmann::ordered_json task = test::task_form("a metric by command, without a target");
  task["data"]["target"] = "label";
  task["data"]["inputs"].erase("label");
  task["evaluator"] = {{"type", "exact_match"}, {"ignore_case", true}};
  task["report_metrics"] = {metric};
  return folder.parse(task);
}

std::vector<cli::SetFigure> figures(const std::string& metric, const Texts& predictions, const Texts& targets) {
  return cli::set_figures(reporting(metric), predictions, targets);
}

double value_of(const std::vector<cli::SetFigure>& all, const std::string& name) {
  for (const cli::SetFigure& figure : all) {
    if (figure.name == name) return figure.value;
  }
  FAIL("there is no " << name);
  return 0;
}

}  // namespace

TEST_CASE("F1 is that of each class, their mean and that of all answers", "[cli][metrics]") {
  // Of a: 2 of 3 right, one more said; of b: 1 of 2 right; "none" is no class.
  const auto all = figures("f1", {"a", "A", "none", "b", "a"}, {"a", "a", "a", "b", "b"});
  CHECK(value_of(all, "F1 of a") == Approx(2.0 * 2 / (3 + 3)));
  CHECK(value_of(all, "F1 of b") == Approx(2.0 * 1 / (1 + 2)));
  CHECK(value_of(all, "macro F1") == Approx(2.0 / 3));
  CHECK(value_of(all, "micro F1") == Approx(2.0 * 3 / (4 + 5)));
  CHECK(all.size() == 4);
  for (const cli::SetFigure& figure : all) {
    CHECK(figure.low <= figure.value);
    CHECK(figure.high >= figure.value);
    CHECK(figure.samples == 5);
  }
}

TEST_CASE("AUC and correlations are of the numbers in answers and targets", "[cli][metrics]") {
  CHECK(value_of(figures("auc", {"0.9", "0.8", "0.3", "0.1"}, {"1", "0", "1", "0"}), "AUC") == Approx(0.75));
  CHECK(value_of(figures("auc", {"5", "5", "5", "5"}, {"1", "0", "1", "0"}), "AUC") == Approx(0.5));
  CHECK(figures("auc", {"5", "6"}, {"1", "1"}).empty());
  CHECK(figures("auc", {"5", "6", "7"}, {"1", "2", "3"}).empty());
  CHECK(value_of(figures("correlation", {"1", "2", "about 3"}, {"10", "20", "30"}), "correlation") == Approx(1));
  CHECK(value_of(figures("correlation", {"3", "2", "1"}, {"1", "2", "4"}), "correlation") == Approx(-0.9819805));
  CHECK(value_of(figures("rank_correlation", {"1", "10", "100", "no"}, {"1", "2", "3", "4"}), "rank correlation") == Approx(1));
  CHECK(figures("rank_correlation", {"1", "10", "100", "no"}, {"1", "2", "3", "4"})[0].samples == 3);
  CHECK(figures("correlation", {"1", "1"}, {"1", "2"}).empty());
  CHECK(figures("correlation", {}, {}).empty());
  CHECK(value_of(figures("mean_absolute_error", {"1", "5"}, {"2", "2"}), "mean absolute error") == Approx(2));
}

TEST_CASE("the interval of a figure is that of parts of the same size, the same each time", "[cli][metrics]") {
  Texts predictions;
  Texts targets;
  for (int i = 0; i < 200; ++i) {
    predictions.push_back(i % 4 == 0 ? "b" : "a");
    targets.push_back("a");
  }
  const auto first = figures("f1", predictions, targets);
  const auto again = figures("f1", predictions, targets);
  REQUIRE(first.size() == again.size());
  CHECK(first[1].low == again[1].low);
  CHECK(first[1].low < first[1].value);
  CHECK(first[1].high > first[1].value);
  CHECK(first[1].high - first[1].low < 0.2);
  CHECK(first[1].high - first[1].low > 0.02);
}

TEST_CASE("metrics of whole parts are in the summary, the result, the report and a comparison", "[cli][metrics]") {
  const test::TemporaryFolder folder;
  const fs::path file = test::write_small_task(folder);
  Value task = Value::parse(test::read_text(file));
  task["report_metrics"] = {"f1"};
  task["evaluator"]["metrics"] = {"length", "f1"};
  folder.write("task.json", task.dump());
  const fs::path run = folder.path() / "run";
  const test::ProcessResult result = test::optimize(file, run);
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out,
             ContainsSubstring("macro F1") && ContainsSubstring("F1 of billing") && ContainsSubstring("length (test)"));
  const Value outcome = test::read_result(run);
  CHECK(outcome["report_metrics"]["test"]["before"][0]["name"] == "macro F1");
  CHECK(outcome["report_metrics"]["test"]["after"][0]["value"].is_number());
  CHECK(outcome["metrics"]["length"]["test"]["before"].is_number());
  CHECK_THAT(test::read_text(run / "report.html"), ContainsSubstring(R"(["macro F1","test",[)"));
  const test::ProcessResult compared = test::run_tgd({"evaluate", file.string(), "--json"});
  REQUIRE(compared.status == 0);
  const Value prompt = Value::parse(compared.out)["prompts"][0];
  CHECK(prompt["report_metrics"] == outcome["report_metrics"]["test"]["before"]);
  CHECK(prompt["metrics"]["length"] == outcome["metrics"]["length"]["test"]["before"]);
}

TEST_CASE("values that break a limit of the task are not kept where others keep it", "[cli][metrics]") {
  const test::TemporaryFolder folder;
  const fs::path file = test::write_small_task(folder);
  Value task = Value::parse(test::read_text(file));
  const auto best_step = [&](const Value& keep) {
    task["evaluator"]["keep"] = keep;
    folder.write("task.json", task.dump());
    const fs::path run = folder.path() / "run";
    fs::remove_all(run);
    const test::ProcessResult result = test::optimize(file, run);
    INFO(result.err);
    REQUIRE(result.status == 0);
    return test::read_result(run)["best"]["step"].get<int>();
  };
  CHECK(best_step({{"exact_match", {{"max", 1}}}}) > 0);
  // Only the first values have so few right.
  CHECK(best_step({{"exact_match", {{"max", 0.35}}}}) == 0);
}
