#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/estimate.hpp"
#include "cli/tickets.hpp"
#include "core/pattern.hpp"
#include "support/chat_server.hpp"
#include "task/agent.hpp"
#include "task/unreachable.hpp"

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

std::string text_of(const lm::Request& request) {
  std::string text;
  for (const lm::Message& message : request.messages) text += message.content + "\n";
  return text;
}

std::string asker(const lm::Request& request) {
  const std::string text = text_of(request);
  if (text.find("<IMPROVED_VALUE>") != text.npos) return "optimizer";
  if (text.find("You are a critic") != text.npos) return "critic";
  return text.find("JUDGE") != text.npos ? "judge" : "student";
}

/// What a run can work with, and no right answer.
lm::Reply sound_reply(const lm::Request& request) {
  const std::string who = asker(request);
  const std::string text = who == "optimizer" ? "<IMPROVED_VALUE>Name the queue of the ticket: one word.</IMPROVED_VALUE>"
                           : who == "critic"  ? "Name the queues, and ask for one word."
                           : who == "judge"   ? R"({"explanation": "It names no queue.", "score": 0})"
                                              : "a ticket";
  return {.content = text,
          .finish_reason = "stop",
          .usage = {.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 100, .completion_tokens = 20}};
}

std::vector<std::string> purposes(const Value& report) {
  std::vector<std::string> purposes;
  for (const Value& call : report["calls"]) purposes.push_back(call["purpose"]);
  return purposes;
}

/// The small task with a judge.
std::string write_judged_task(const test::TemporaryFolder& folder) {
  Value task = Value::parse(test::read_text(test::write_small_task(folder)));
  task["evaluator"] = {{"type", "judge"}, {"messages", {{{"role", "user"}, {"content", "JUDGE {ticket}: {prediction}"}}}}};
  return folder.write("judged.json", task.dump()).string();
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

  CHECK(report["calls"][0]["model"] == "student");
  CHECK_FALSE(report["calls"][0]["reply"].get<std::string>().empty());
  const test::ProcessResult shown = test::run_tgd({"check", task.string()});
  CHECK_THAT(shown.out, ContainsSubstring("in order") && ContainsSubstring("likely") && ContainsSubstring("student (forward)"));
}

TEST_CASE("what a run asks is asked once, in its form and size", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const auto stub = lm::Stub::answering([](const lm::Request& request) { return sound_reply(request).content; });
  const test::ChatServer server(stub);
  const auto at_server = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--base-url", server.url(), "--model", "gpt-4o-mini"});
    return arguments;
  };
  const Value report = checked(at_server({task}));
  std::map<std::string, int> asked;
  for (const lm::Request& request : stub->requests()) ++asked[asker(request)];
  CHECK(asked ==
        std::map<std::string, int>{{"student", 3}, {"critic", 1}, {"optimizer", 1}});  // two see whether replies repeat
  CHECK(purposes(report) == std::vector<std::string>{"forward", "backward", "optimize", "repeat", "repeat"});
  CHECK(report["problems"].empty());
  CHECK(report["models"]["student"]["repeats_at_temperature_0"] == true);
  CHECK(report["estimate"]["high"]["seconds"].get<double>() > 0);

  // A batch is shown: eight samples to the critic, and what it says of each eight to the optimizer.
  const cli::Task read = cli::read_task(task);
  const cli::TaskData data = cli::load_data(read.data);
  const auto shown = [&](const std::string& who) {
    std::size_t tickets = 0;
    for (const lm::Request& request : stub->requests()) {
      if (asker(request) != who) continue;
      for (std::size_t i = 0; i < data.train.size(); ++i)
        tickets += text_of(request).find(data.train[i].at("ticket").item_text()) != std::string::npos ? 1 : 0;
    }
    return tickets;
  };
  CHECK(shown("critic") == 8);
  CHECK(shown("optimizer") > 8);
  const Value& estimate = report["estimate"];
  CHECK(estimate["low"]["cost_usd"].get<double>() > 0);
  CHECK(estimate["low"]["cost_usd"].get<double>() < estimate["likely"]["cost_usd"].get<double>());
  CHECK(estimate["likely"]["cost_usd"].get<double>() < estimate["high"]["cost_usd"].get<double>());
  CHECK(report["models_without_price"].empty());

  const std::size_t before = stub->calls();
  checked(at_server({task, "--no-calls"}));
  CHECK(stub->calls() == before);
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

TEST_CASE("a trial ends where any further request would meet the same", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  test::HttpResponse response{.headers = {{"Content-Type", "application/json"}}, .body = test::completion_body("billing")};
  SECTION("each answer is not in the encoding that it names") {
    response.headers.emplace_back("Content-Encoding", "x-acme");
    const test::HttpServer server([&](const test::HttpRequest&) { return response; });
    const test::ProcessResult result = test::run_tgd({"check", task, "--base-url", server.url() + "/v1", "--model", "m"});
    INFO(result.out << result.err);
    CHECK(server.request_count() == 2);
    CHECK(result.status == 0);
    CHECK_THAT(result.out, ContainsSubstring("Content-Encoding") && ContainsSubstring("the rest of the trial was left out"));
  }
  SECTION("the endpoint has no money for the critic, and so for nobody") {
    std::atomic<int> posts = 0;
    const test::HttpServer server([&](const test::HttpRequest& request) -> test::HttpResponse {
      if (request.method != "POST") return {.status = 404};
      if (posts++ == 0) return response;
      return {.status = 402, .body = test::error_body("Insufficient credits")};
    });
    const test::ProcessResult result = test::run_tgd({"check", task, "--base-url", server.url() + "/v1", "--model", "m"});
    INFO(result.out << result.err);
    CHECK(posts == 2);
    CHECK(result.status == 1);
    CHECK_THAT(result.err, ContainsSubstring("Insufficient credits"));
  }
}

TEST_CASE("replies that a run cannot use, or not well, are told by who gave them, with what to set", "[cli]") {
  struct Case {
    std::string who;
    lm::Reply reply;
    bool ends_run;
    std::string says;
  };
  const auto reply = [](const std::string& text, const std::string& reason) {
    return lm::Reply{.content = text,
                     .finish_reason = reason,
                     .usage = {.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 9, .completion_tokens = 7}};
  };
  const auto row = GENERATE_COPY(values<Case>({
      {"student", reply("", "stop"), false, "student \\(forward\\).*the reply is empty"},
      {"student", reply("<think>It is about an invoice.</think>billing", "stop"), false, "it thinks first: 23 characters"},
      {"critic", reply("Name the", "length"), true, "the critic's feedback.*cut off"},
      {"critic", reply("Name the", "length"), true,
       "teacher|student \\(backward\\).*cut off after 7 tokens.*max_completion_tokens"},
      {"critic", reply("", "stop"), false, "\\(backward\\).*the reply is empty"},
      {"critic", reply("", "content_filter"), true, "filter"},
      {"optimizer", reply("<IMPROVED_VALUE>Name", "length"), false, "no usable new value for the parameter"},
      {"optimizer", reply("I would name the queues.", "stop"), false, "no usable new value for the parameter"},
      {"judge", reply("fine", "stop"), true, "the judge's verdict.*no usable reply"},
      {"judge", reply("{\"reasoning\": \"fine\", \"score\": 1}", "stop"), true, "the judge's verdict.*explanation"},
  }));
  const test::TemporaryFolder folder;
  const std::string task = row.who == "judge" ? write_judged_task(folder) : test::write_small_task(folder).string();
  const test::ChatServer server(lm::Stub::answering_in_full(
      [&](const lm::Request& request) { return asker(request) == row.who ? row.reply : sound_reply(request); }));
  const test::ProcessResult result =
      test::run_tgd({"check", task, "--base-url", server.url(), "--model", "m", "--max-retries", "0"});
  INFO(row.who << ": " << row.reply.content << "\n" << result.out << result.err);
  CHECK(result.status == (row.ends_run ? 1 : 0));
  std::string all = result.out + result.err;
  std::replace(all.begin(), all.end(), '\n', ' ');
  CHECK(detail::Pattern(row.says).is_in(all));
}

TEST_CASE("a sound trial warns of nothing", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = GENERATE(false, true) ? write_judged_task(folder) : test::write_small_task(folder).string();
  const test::ChatServer server(lm::Stub::answering_in_full(sound_reply));
  const test::ProcessResult result = test::run_tgd({"check", task, "--base-url", server.url(), "--model", "m"});
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  CHECK_THAT(result.out, !ContainsSubstring("warning") && ContainsSubstring("tokens a second") &&
                             ContainsSubstring("replies repeat at temperature 0") && ContainsSubstring("time"));
}

TEST_CASE("a limit that the task sets itself is named when it cuts replies off", "[cli]") {
  const test::TemporaryFolder folder;
  Value json = Value::parse(test::read_text(test::write_small_task(folder)));
  json["stages"] = {{{"name", "answer"}, {"messages", json["messages"]}, {"args", {{"max_tokens", 7}}}}};
  for (const char* key : {"messages", "output"}) json.erase(key);
  const std::string task = folder.write("limited.json", json.dump()).string();
  const test::ChatServer server(lm::Stub::answering_in_full([&](const lm::Request& request) {
    lm::Reply reply = sound_reply(request);
    if (asker(request) == "student") reply.finish_reason = "length";
    return reply;
  }));
  const test::ProcessResult result = test::run_tgd({"check", task, "--base-url", server.url(), "--model", "m"});
  INFO(result.out << result.err);
  CHECK_THAT(result.out, ContainsSubstring("raise \"max_tokens\" (7)"));
}

TEST_CASE("replies that differ at temperature 0 are told", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  std::atomic<int> number = 0;
  const test::ChatServer server(lm::Stub::answering_in_full([&](const lm::Request& request) {
    lm::Reply reply = sound_reply(request);
    if (asker(request) == "student") reply.content += std::to_string(++number);
    return reply;
  }));
  const Value report = checked({task, "--base-url", server.url(), "--model", "m"});
  CHECK(report["models"]["student"]["repeats_at_temperature_0"] == false);
}

TEST_CASE("a budget that the trial would use up leaves the rest untried, and is too small for a run", "[cli]") {
  const test::TemporaryFolder folder;
  Value json = Value::parse(test::read_text(test::write_small_task(folder)));
  json["budget"] = {{"calls", 2}};
  const test::ChatServer server(lm::Stub::answering_in_full(sound_reply));
  const test::ProcessResult result =
      test::run_tgd({"check", folder.write("poor.json", json.dump()).string(), "--base-url", server.url(), "--model", "m"});
  INFO(result.out << result.err);
  CHECK(result.status == 1);
  CHECK_THAT(result.out, ContainsSubstring("could not be tried") && ContainsSubstring("budget"));
  CHECK_THAT(result.err, ContainsSubstring("the budget of 2 calls is too small for one step"));
}

TEST_CASE("targets that no reply can score best against are found with the reason", "[cli]") {
  using Kind = cli::OutputStep::Kind;
  using Type = cli::EvaluatorSpec::Type;
  struct Case {
    std::vector<cli::OutputStep> output;
    cli::EvaluatorSpec evaluator;
    std::string target;
    std::string reason;  // empty: it can
  };
  const std::vector<cli::OutputStep> text{{Kind::text}};
  const std::vector<cli::OutputStep> lower{{Kind::lower_case}};
  const std::vector<cli::OutputStep> label{{Kind::json_pointer, "/a/label"}};
  const std::vector<cli::OutputStep> lower_label{{Kind::json_pointer, "/label"}, {Kind::lower_case}};
  const std::vector<cli::OutputStep> fenced{{Kind::fenced_json}};
  const auto regex = [](const std::string& pattern) { return std::vector<cli::OutputStep>{{Kind::regex, pattern}}; };
  const cli::EvaluatorSpec exact{.type = Type::exact_match};
  const cli::EvaluatorSpec folded{.type = Type::exact_match, .ignore_case = true};
  const cli::EvaluatorSpec number{.type = Type::number};
  const cli::EvaluatorSpec fields{.type = Type::json_fields, .fields = {"/a"}};
  const std::vector<Case> cases{
      {text, exact, "Praise", ""},
      {text, exact, " Praise\n", ""},
      {lower, exact, "praise", ""},
      {lower, exact, "Praise", "ignore_case"},
      {lower, folded, "Praise", ""},
      {label, exact, "Praise \"!\" ü", ""},
      {lower_label, exact, "Praise", "ignore_case"},
      {lower_label, folded, "Praise", ""},
      {fenced, exact, "praise", ""},
      {fenced, fields, R"({"a": 1})", ""},
      {fenced, fields, R"({"b": 1})", "lacks a field"},
      {text, fields, "a: 1", "not JSON"},
      {text, number, "1200", ""},
      {text, number, "12 %", ""},
      {label, number, "-3.5e2", ""},
      {label, number, "3.5 kg", ""},
      {text, number, "twelve", "no number"},
      {label, number, "1.2.3", "no number"},
      {{{Kind::number}}, number, "$1,200.50", ""},
      {{{Kind::comma_number}}, {.type = Type::number, .decimal_mark = detail::DecimalMark::comma}, "1.200,50", ""},
      {{{Kind::number}}, exact, "1,200", "output steps make"},
      {regex("(\\d+) points"), number, "12", ""},
      {regex("label: (\\w+)"), exact, "praise", ""},
      {regex("label: (\\w+)"), exact, "much praise", "regex"},
      {regex("label: *(.*)"), exact, "much praise", ""},
      {regex("(?i)label: *([a-z ]+)"), exact, "Much Praise", ""},
      {regex("label:( \\w+)"), exact, "praise", ""},
      {regex("[(](\\w+)[)]"), exact, "praise", ""},
      {regex("(?:label|answer): (?P<label>a(?:b|c))"), exact, "ac", ""},
      {regex("(?:label|answer): (?P<label>a(?:b|c))"), exact, "ad", "regex"},
      {regex("praise|complaint"), exact, "praise", ""},
      {regex("praise|complaint"), exact, "question", "regex"},
      {{{Kind::lower_case}, {Kind::regex, "label: (\\w+)"}}, exact, "Praise", "regex"},
      {{{Kind::regex, "label: (\\w+)"}, {Kind::lower_case}}, exact, "Praise", "ignore_case"},
      {text, {.type = Type::contains}, "", ""},
      {text, {.type = Type::f1}, "two words", ""},
      {lower, {.type = Type::f1}, "Two words", "ignore_case"},
      {lower, {.type = Type::judge}, "Praise", ""},
  };
  const test::TemporaryFolder folder;
  const cli::Task read = cli::read_task(test::write_small_task(folder));
  for (const Case& example : cases) {
    INFO(example.target << " by " << (example.output.empty() ? "" : example.output.front().argument));
    const auto file = folder.write("rows.jsonl", Value{{"text", "x"}, {"label", example.target}}.dump() + "\n");
    cli::Task task = read;
    task.data.target = "label";
    task.stages = {{.name = "answer", .messages = {}, .output = example.output}};
    task.evaluator = example.evaluator;
    const cli::DataPart part({data::JsonLinesFile(file, {{cli::target_name, "label"}})[0]}, {0});
    const auto found = cli::unreachable_targets(task, part);
    CHECK(found.empty() == example.reason.empty());
    for (const cli::UnreachableTarget& target : found) CHECK_THAT(target.reason, ContainsSubstring(example.reason));
  }
}

TEST_CASE("check names the rows of targets that no reply can score best against", "[cli]") {
  const test::TemporaryFolder folder;
  Value json = Value::parse(test::read_text(test::write_small_task(folder)));
  json["output"] = "lower_case";
  json["evaluator"] = {{"type", "exact_match"}};
  json["data"]["file"] = "labels.jsonl";
  const bool are_all = GENERATE(false, true);
  std::string rows;
  for (int i = 0; i < 30; ++i)
    rows +=
        Value{{"text", "Ticket " + std::to_string(i)}, {"label", i % 3 == 1 || are_all ? "Billing" : "other"}}.dump() + "\n";
  folder.write("labels.jsonl", rows);
  const test::ProcessResult result = test::run_tgd({"check", folder.write("labels.json", json.dump()).string(), "--no-calls"});
  INFO(result.out << result.err);
  CHECK(result.status == (are_all ? 1 : 0));
  CHECK_THAT(result.out, !ContainsSubstring("the task is in order") && ContainsSubstring("of 30 targets") &&
                             ContainsSubstring("of labels.jsonl") && ContainsSubstring("\"Billing\""));
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
  SECTION("search") {
    const double plain = calls(estimated()[2], "forward", "student");
    task.training.search = {.chain = 2, .proposals = 3};
    CHECK(calls(estimated()[2], "forward", "student") > plain);
    CHECK(calls(estimated()[2], "optimize", "teacher") ==
          Approx(static_cast<double>(schedule.steps * 3 * (1 + task.optimizer.max_reasks))));
    const double unconfirmed = calls(estimated()[0], "forward", "student");
    task.training.search.confirm = 1000;  // at most half of the part, which is not validated then
    CHECK(calls(estimated()[0], "forward", "student") < unconfirmed);
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

TEST_CASE("an answer tells what could not be parsed; what is not the sample's own fault is thrown", "[cli]") {
  const test::TemporaryFolder folder;
  cli::Task task = cli::read_task(test::write_small_task(folder));
  task.stages[0].output = {{cli::OutputStep::Kind::json_pointer, "/label"}};
  const cli::Batch batch = cli::batch_of(cli::load_data(task.data).train, 2);
  const auto answer = [&](lm::ChatModelPtr model) {
    return cli::answer_of(cli::TaskAgent(task, {{"student", model}, {"teacher", model}, {"judge", model}}, {}).run(batch), 1);
  };
  const cli::Answer parsed = answer(lm::Stub::answering([](const lm::Request&) { return R"({"label": "billing"})"; }));
  CHECK(parsed.prediction == "billing");
  CHECK_FALSE(parsed.problem);
  const cli::Answer unparsed = answer(lm::Stub::answering([](const lm::Request&) { return "billing, I think"; }));
  CHECK(unparsed.prediction == "billing, I think");
  REQUIRE(unparsed.problem);
  CHECK_FALSE(unparsed.is_unanswered());
  CHECK_THAT(unparsed.problem_text(), ContainsSubstring("answer") && ContainsSubstring("no JSON"));
  const auto failing = [&](const auto& error) {
    return answer(lm::Stub::answering([&](const lm::Request&) -> std::string { throw error; }));
  };
  CHECK(failing(LMError(LMError::Kind::filtered, "not this one")).is_unanswered());
  CHECK_THROWS_AS(failing(LMError(LMError::Kind::status, "down", 500)), LMError);
  CHECK_THROWS_AS(failing(LMError(LMError::Kind::cancelled, "interrupted")), LMError);
  CHECK_THROWS_AS(failing(BudgetError("used up")), BudgetError);
}
