// The example that logs a run at an MLflow server, against one that only takes down what it is told.
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/http_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::json;

TEST_CASE("the example for MLflow logs a run's figures, settings and best prompt", "[cli][concurrent]") {
  if (test::run_process({"/bin/sh", "-c", "command -v python3"}).status != 0) {
    WARN("skipped: there is no python3");
    return;
  }
  const test::TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  REQUIRE(test::optimize(test::write_small_task(folder, 30), run).status == 0);
  const Value result = test::read_result(run);

  std::mutex mutex;
  std::map<std::string, std::vector<Value>> told;
  const bool is_known = GENERATE(false, true);
  const test::HttpServer server([&](const test::HttpRequest& request) -> test::HttpResponse {
    const std::string prefix = "/api/2.0/mlflow/";
    const std::string call = request.target.substr(prefix.size(), request.target.find('?') - prefix.size());
    const std::lock_guard lock(mutex);
    told[call].push_back(request.body.empty() ? Value() : Value::parse(request.body));
    if (call == "experiments/get-by-name" && !is_known)
      return {.status = 404, .body = R"({"error_code": "RESOURCE_DOES_NOT_EXIST"})"};
    return {.body = R"({"experiment": {"experiment_id": "7"}, "experiment_id": "7", "run": {"info": {"run_id": "r"}}})"};
  });
  const test::ProcessResult logged = test::run_process(
      {"/bin/sh", "-c", "exec python3 \"$0\" \"$1\"", (test::examples / "mlflow/log_run.py").string(), run.string()},
      {.environment = {{"MLFLOW_TRACKING_URI", server.url()}}});
  INFO(logged.out << logged.err);
  REQUIRE(logged.status == 0);
  CHECK(told["experiments/create"].size() == (is_known ? 0 : 1));
  REQUIRE(told["runs/log-batch"].size() == 1);
  const Value& batch = told["runs/log-batch"][0];
  std::map<std::string, double> last;
  for (const Value& metric : batch["metrics"]) last[metric["key"]] = metric["value"];
  CHECK(last["test_score"] == result["accuracy"]["test"]["after"]);
  CHECK(last["calls_forward"] == result["calls"]["forward"]);
  CHECK(last.count("validation_score") == 1);
  CHECK_THAT(batch["tags"].dump(), ContainsSubstring(result["parameters"]["instructions"]["best"].dump()));
  CHECK_THAT(batch["params"].dump(), ContainsSubstring("training.epochs"));
  CHECK(told["runs/update"].at(0)["status"] == "FINISHED");

  const test::ProcessResult nowhere = test::run_process(
      {"/bin/sh", "-c", "exec python3 \"$0\" \"$1\"", (test::examples / "mlflow/log_run.py").string(), run.string()},
      {.environment = {{"MLFLOW_TRACKING_URI", "http://127.0.0.1:9"}}});
  CHECK(nowhere.status == 1);
  CHECK_THAT(nowhere.err, ContainsSubstring("does not answer"));
}
