#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/estimate.hpp"
#include "cli/task_agent.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::json;

namespace {

Value checked(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "check");
  arguments.push_back("--json");
  const test::ProcessResult result = test::run_tgd(arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  return Value::parse(result.out);
}

int calls_of(const Value& run) {
  int calls = 0;
  for (const Value& count : run["calls"]) calls += count.get<int>();
  return calls;
}

}  // namespace

TEST_CASE("what a run takes lies between the estimates of check", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const Value report = checked({task.string()});
  REQUIRE(test::optimize(task, folder.path() / "run").status == 0);
  const Value run = test::read_result(folder.path() / "run");
  const Value& estimate = report["estimate"];
  CHECK(estimate["low"]["by_purpose"]["forward"] == run["calls"]["forward"]);
  CHECK(estimate["low"]["calls"].get<int>() < calls_of(run));
  CHECK(calls_of(run) <= estimate["high"]["calls"].get<int>());
  const int tokens = run["models"]["student"]["usage"]["prompt_tokens"];
  CHECK(estimate["low"]["prompt_tokens"].get<int>() < tokens);
  CHECK(tokens < estimate["high"]["prompt_tokens"].get<int>());
  CHECK(report["steps"] == run["steps"]);
  CHECK(estimate["high"]["cost_usd"] == 0);

  REQUIRE(report["calls"].size() == 1);
  CHECK(report["calls"][0]["model"] == "student");
  CHECK_FALSE(report["calls"][0]["reply"].get<std::string>().empty());
  const test::ProcessResult shown = test::run_tgd({"check", task.string()});
  CHECK_THAT(shown.out, ContainsSubstring("in order") && ContainsSubstring("likely") && ContainsSubstring("student (forward)"));
}

TEST_CASE("each model is asked once, and no more than that", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  std::atomic<int> asked = 0;
  const test::ChatServer server(lm::Stub::answering([&](const lm::Request&) {
    ++asked;
    return "billing";
  }));
  const auto at_server = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--base-url", server.url(), "--model", "gpt-4o-mini"});
    return arguments;
  };
  const Value report = checked(at_server({task}));
  CHECK(asked == 1);
  const Value& estimate = report["estimate"];
  CHECK(estimate["low"]["cost_usd"].get<double>() > 0);
  CHECK(estimate["low"]["cost_usd"].get<double>() < estimate["likely"]["cost_usd"].get<double>());
  CHECK(estimate["likely"]["cost_usd"].get<double>() < estimate["high"]["cost_usd"].get<double>());
  CHECK(report["models_without_price"].empty());

  checked(at_server({task, "--no-calls"}));
  CHECK(asked == 1);
}

TEST_CASE("the cost of a model without a price is unknown, not nothing", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const std::vector<std::string> flags{task, "--no-calls", "--base-url", "http://127.0.0.1:9/v1", "--model", "mine"};
  const Value report = checked(flags);
  CHECK(report["estimate"]["likely"]["cost_usd"].is_null());
  CHECK(report["models_without_price"] == Value{"mine"});
  std::vector<std::string> arguments = flags;
  arguments.insert(arguments.begin(), "check");
  CHECK_THAT(test::run_tgd(arguments).out, ContainsSubstring("unknown") && ContainsSubstring("price of mine"));
}

TEST_CASE("a model that does not answer, and a task with a mistake, are told with their status", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const test::ChatServer server(lm::Stub::answering(
      [](const lm::Request&) -> std::string { throw LMError(LMError::Kind::status, "no such model", 404); }));
  const test::ProcessResult failed = test::run_tgd({"check", task, "--base-url", server.url(), "--model", "none"});
  CHECK(failed.status == 1);
  CHECK_THAT(failed.err,
             ContainsSubstring("student does not answer") && ContainsSubstring("404") && ContainsSubstring("--model"));
  CHECK_THAT(failed.out, ContainsSubstring("likely"));

  const std::string mistaken = folder.write("mistaken.json", R"({"data": {"file": "ticket.jsonl"}})").string();
  const test::ProcessResult refused = test::run_tgd({"check", mistaken});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, ContainsSubstring("tickets.jsonl"));
}

TEST_CASE("the estimate counts all stages, the judge, the gate and the epochs", "[cli]") {
  const test::TemporaryFolder folder;
  cli::Task task = cli::read_task(test::write_small_task(folder, 40));
  const cli::TaskData data = cli::load_data(task.data);
  const double measured = 2.0 * static_cast<double>(data.train.size() + data.test.size());
  const double validation = static_cast<double>(data.validation.size());
  const auto calls = [&](const cli::Outlook& outlook, const std::string& purpose, const std::string& model) {
    const auto found = outlook.all.find({purpose, model});
    return found == outlook.all.end() ? 0 : found->second.calls;
  };
  const auto estimated = [&] { return cli::estimate(task, data, cli::make_models(task, {}), {}); };
  const cli::Schedule schedule = cli::schedule_of(task.training, data.train.size());
  const double forward =
      measured + static_cast<double>(schedule.validations) * validation + static_cast<double>(schedule.trained);
  CHECK(calls(estimated()[0], "forward", "student") == Approx(forward));
  CHECK(calls(estimated()[0], "optimize", "teacher") == 0);
  CHECK(calls(estimated()[2], "optimize", "teacher") ==
        Approx(static_cast<double>(schedule.steps * (1 + task.optimizer.max_reasks))));
  CHECK(calls(estimated()[1], "backward", "teacher") == Approx(calls(estimated()[2], "backward", "teacher") / 2));

  SECTION("stages") {
    task.stages.push_back({.name = "again", .messages = {{"user", {"Shorter: {answer}"}}}});
    CHECK(calls(estimated()[0], "forward", "student") == Approx(2 * forward));
    CHECK(calls(estimated()[2], "backward", "teacher") > 0);
  }
  SECTION("judge") {
    task.evaluator.type = cli::EvaluatorSpec::Type::judge;
    task.evaluator.messages = {{"user", {"How good is {prediction}?"}}};
    CHECK(calls(estimated()[0], "judge", "judge") == Approx(forward));
    CHECK(calls(estimated()[2], "backward", "teacher") > 0);
  }
  SECTION("gate") {
    const double plain = calls(estimated()[2], "forward", "student");
    task.training.gate = {.confidence = 0.8, .proposals = 3};
    CHECK(calls(estimated()[0], "forward", "student") == Approx(forward));
    CHECK(calls(estimated()[2], "forward", "student") > plain);
    CHECK(calls(estimated()[2], "optimize", "teacher") ==
          Approx(static_cast<double>(schedule.steps * 3 * (1 + task.optimizer.max_reasks))));
  }
  SECTION("a trial corrects the tokens") {
    const cli::TrialCall call{
        .role = "student",
        .purpose = "forward",
        .estimated_prompt_tokens = 100,
        .usage = {.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 200, .completion_tokens = 7}};
    const cli::Outlook plain = estimated()[0];
    const cli::Outlook corrected = cli::estimate(task, data, cli::make_models(task, {}), {call})[0];
    CHECK(cli::total(corrected.all).prompt_tokens == Approx(2 * cli::total(plain.all).prompt_tokens));
    CHECK(cli::total(corrected.all).completion_tokens == Approx(7 * forward));
  }
}

TEST_CASE("the schedule of a run", "[cli]") {
  struct Case {
    cli::TrainingSpec training;
    std::size_t steps;
    std::size_t validations;
    std::size_t trained;
  };
  const std::vector<Case> cases{{{.epochs = 4, .batch_size = 16}, 24, 5, 336},
                                {{.epochs = 1, .batch_size = 84}, 1, 2, 84},
                                {{.epochs = 2, .batch_size = 100}, 2, 3, 168},
                                {{.epochs = 4, .batch_size = 16, .validate_every = 5}, 24, 6, 336},
                                {{.epochs = 4, .batch_size = 16, .max_steps = 8}, 8, 3, 116}};
  for (const Case& example : cases) {
    const cli::Schedule schedule = cli::schedule_of(example.training, 84);
    CHECK(schedule.steps == example.steps);
    CHECK(schedule.validations == example.validations);
    CHECK(schedule.trained == example.trained);
  }
}

TEST_CASE("a budget that ends the run is told with the step", "[cli]") {
  cli::Outlook outlook{.scenario = "likely", .all = {}, .measurements = {}};
  outlook.measurements[{"forward", "student"}] = {.calls = 100, .prompt_tokens = 1000, .completion_tokens = 10};
  outlook.all = outlook.measurements;
  outlook.all[{"backward", "teacher"}] = {.calls = 100, .prompt_tokens = 9000, .completion_tokens = 10};
  CHECK(cli::budget_text({}, outlook, 20).empty());
  CHECK(cli::budget_text({.calls = 200, .usd = 1.0}, outlook, 20).empty());
  CHECK(cli::budget_text({.calls = 150}, outlook, 20) == "the budget of 150 calls ends the run after about step 10 of 20");
  CHECK_THAT(cli::budget_text({.calls = 190, .prompt_tokens = 1900}, outlook, 20),
             ContainsSubstring("1900 prompt tokens") && ContainsSubstring("step 2 of"));
  CHECK_THAT(cli::budget_text({.calls = 90}, outlook, 20), ContainsSubstring("too small"));
  outlook.cost = lm::Cost::from_usd(4);
  outlook.measurements_cost = lm::Cost::from_usd(0);
  CHECK_THAT(cli::budget_text({.usd = 1.0}, outlook, 20), ContainsSubstring("1 USD") && ContainsSubstring("step 5 of"));
}

TEST_CASE("an answer tells what could not be parsed, and what failed", "[cli]") {
  const test::TemporaryFolder folder;
  cli::Task task = cli::read_task(test::write_small_task(folder));
  task.stages[0].output = {{cli::OutputStep::Kind::json_pointer, "/label"}};
  const cli::Batch batch = cli::batch_of(cli::load_data(task.data).train, 2);
  const auto answer = [&](lm::ChatModelPtr model) {
    return cli::answer_of(cli::TaskAgent(task, {{"student", model}, {"teacher", model}, {"judge", model}}, {}).run(batch), 1);
  };
  const cli::Answer parsed = answer(lm::Stub::answering([](const lm::Request&) { return R"({"label": "billing"})"; }));
  CHECK(parsed.prediction() == "billing");
  CHECK(parsed.problem.empty());
  const cli::Answer unparsed = answer(lm::Stub::answering([](const lm::Request&) { return "billing, I think"; }));
  CHECK(unparsed.prediction() == "billing, I think");
  CHECK_THAT(unparsed.problem, ContainsSubstring("answer") && ContainsSubstring("no JSON"));
  const auto failing = [&](const auto& error) {
    return answer(lm::Stub::answering([&](const lm::Request&) -> std::string { throw error; }));
  };
  const cli::Answer failed = failing(LMError(LMError::Kind::status, "down", 500));
  CHECK_FALSE(failed.ok());
  CHECK_FALSE(failed.is_refused);
  CHECK(failing(LMError(LMError::Kind::cancelled, "interrupted")).is_refused);
  CHECK(failing(BudgetError("used up")).is_refused);
}
