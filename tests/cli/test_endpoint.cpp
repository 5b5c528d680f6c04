// The shipped task against endpoints that answer, answer in another order, or do not answer as they should.

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "support/http_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

test::ProcessResult optimize_at(const std::string& url, const fs::path& task, const fs::path& run,
                                std::vector<std::string> flags = {}) {
  flags.insert(flags.end(), {"--base-url", url, "--model", "simulated"});
  return test::optimize(task, run, std::move(flags), {.environment = {{"OPENAI_API_KEY", "sk-secret-of-the-test"}}});
}

struct Fault {
  std::string name;
  test::HttpResponse response;
  std::string message;  ///< part of what the program has to say
};

std::vector<Fault> faults() {
  const auto json = [](int status, std::string body) {
    return test::HttpResponse{.status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
  };
  const std::string good = test::completion_body("billing");
  return {{"401", json(401, test::error_body("Incorrect API key provided", "invalid_api_key")), "401"},
          {"404", json(404, test::error_body("The model does not exist", "model_not_found")), "404"},
          {"429", json(429, test::error_body("Rate limit reached", "rate_limit")), "429"},
          {"500", json(500, test::error_body("The server had an error", "server_error")), "500"},
          {"HTML", {.headers = {{"Content-Type", "text/html"}}, .body = "<html><body>It works!</body></html>"}, "html"},
          {"cut-off JSON", json(200, good.substr(0, good.size() / 2)), ""},
          {"no choice", json(200, R"({"id": "x", "object": "chat.completion", "choices": []})"), "choice"},
          {"empty choice", json(200, R"({"choices": [{"index": 0, "message": {"role": "assistant", "content": null}}]})"),
           "no content"},
          {"cut-off answer", json(200, test::completion_body("bill", "length")), "length"},
          {"hang-up", test::hang_up(), ""}};
}

}  // namespace

TEST_CASE("over HTTP the optimized prompt is the same byte for byte, whatever the order and latency of the replies", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  REQUIRE(test::optimize(task, folder.path() / "in-process").status == 0);
  const std::string prompt = test::read_text(folder.path() / "in-process/instructions.txt");

  const std::vector<test::ChatServerOptions> timings{
      {},
      {.shuffle = std::chrono::milliseconds(20), .seed = 1},
      {.latency = std::chrono::milliseconds(2), .shuffle = std::chrono::milliseconds(8), .seed = 2}};
  for (std::size_t i = 0; i < timings.size(); ++i) {
    const test::ChatServer server(std::make_shared<lm::Simulated>(), timings[i]);
    const fs::path run = folder.path() / ("http-" + std::to_string(i));
    const test::ProcessResult result = optimize_at(server.url(), task, run);
    INFO(result.out << result.err);
    REQUIRE(result.status == 0);
    CHECK(test::read_text(run / "instructions.txt") == prompt);
    CHECK(server.http().max_concurrent() > 1);
    CHECK(test::read_result(run)["simulated"] == false);
  }
}

TEST_CASE("an endpoint's fault ends the run with status 1, a message and the first prompt in place", "[cli][concurrent]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder, 24);
  // Side by side, for most of their time they wait before they try again.
  const std::vector<Fault> all = faults();
  std::vector<std::future<test::ProcessResult>> results;
  for (const Fault& fault : all) {
    results.push_back(std::async(std::launch::async, [&folder, &fault, &task] {
      const test::HttpServer server([&](const test::HttpRequest&) { return fault.response; });
      // An endpoint that is busy for ever slows the client down, and a retry stands behind all other calls.
      const std::string retries = fault.name == "429" ? "0" : "1";
      return optimize_at(server.url() + "/v1", task, folder.path() / fault.name,
                         {"--max-retries", retries, "--max-in-flight", "2"});
    }));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Fault& fault = all[i];
    const fs::path run = folder.path() / fault.name;
    const test::ProcessResult result = results[i].get();
    INFO(fault.name << "\n" << result.out << result.err);
    CHECK(result.status == 1);
    CHECK_THAT(result.err, ContainsSubstring("measuring the test part before training"));
    CHECK_THAT(result.err, ContainsSubstring(fault.message, Catch::CaseSensitive::No));
    CHECK_THAT(result.out + result.err, !ContainsSubstring("sk-secret"));
    CHECK_FALSE(fs::exists(run / "instructions.txt"));
    const nlohmann::json figures = test::read_result(run);
    CHECK(figures["status"] == "failed");
    CHECK(figures["parameters"]["instructions"]["best"] == figures["parameters"]["instructions"]["first"]);
    CHECK_THAT(test::read_text(run / "result.json"), !ContainsSubstring("sk-secret"));
  }
}

TEST_CASE("an endpoint that is down ends the run with status 1 and its address", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const std::string url = "http://127.0.0.1:" + std::to_string(test::closed_port()) + "/v1";
  const test::ProcessResult result = optimize_at(url, task, folder.path() / "run", {"--max-retries", "1"});
  INFO(result.out << result.err);
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring(url));
}

TEST_CASE("replies that are empty texts are no fault, and change nothing", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const test::HttpServer server([](const test::HttpRequest&) -> test::HttpResponse {
    return {.headers = {{"Content-Type", "application/json"}}, .body = test::completion_body("")};
  });
  const test::ProcessResult result = optimize_at(server.url() + "/v1", task, folder.path() / "run");
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  CHECK_THAT(result.out, ContainsSubstring("unchanged"));
  const nlohmann::json figures = test::read_result(folder.path() / "run");
  CHECK(figures["parameters"]["instructions"]["best"] == figures["parameters"]["instructions"]["first"]);
}

TEST_CASE("what passes by itself is retried: some 429, 500 and hang-ups do not change the prompt", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  REQUIRE(test::optimize(task, folder.path() / "in-process").status == 0);

  lm::Simulated simulated;
  // Each while the first part is measured, and once more later; then no more, for the client waits longer each time.
  std::atomic<int> refused = 0;
  const test::HttpServer server([&](const test::HttpRequest& request) -> test::HttpResponse {
    const std::size_t number = request.number < 200 ? request.number % 100 : 0;
    if (number == 3 || number == 11 || number == 17) ++refused;
    if (number == 3) return {.status = 429, .headers = {{"Retry-After-Ms", "5"}}, .body = test::error_body("slow down")};
    if (number == 11) return {.status = 500, .body = test::error_body("try again")};
    if (number == 17) return test::hang_up();
    const lm::Request asked = test::parse_chat_request(request.body);
    return {.headers = {{"Content-Type", "application/json"}}, .body = test::completion_body(simulated.reply_to(asked))};
  });
  const test::ProcessResult result = optimize_at(server.url() + "/v1", task, folder.path() / "run");
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  CHECK(refused == 6);
  CHECK(test::read_text(folder.path() / "run/instructions.txt") ==
        test::read_text(folder.path() / "in-process/instructions.txt"));
}

TEST_CASE("a run that fails half way keeps the best prompt so far and says where it failed", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  lm::Simulated simulated;
  std::atomic<int> rewrites = 0;
  const test::HttpServer server([&](const test::HttpRequest& request) -> test::HttpResponse {
    const lm::Request asked = test::parse_chat_request(request.body);
    if (asked.messages.back().content.find("IMPROVED_VALUE") != std::string::npos && ++rewrites > 3) {
      return {.status = 403, .body = test::error_body("Your account has been closed")};
    }
    return {.headers = {{"Content-Type", "application/json"}}, .body = test::completion_body(simulated.reply_to(asked))};
  });
  const fs::path run = folder.path() / "run";
  const test::ProcessResult result = optimize_at(server.url() + "/v1", task, run);
  INFO(result.out << result.err);
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("epoch 2, step") && ContainsSubstring("403"));
  CHECK_THAT(result.out, ContainsSubstring("best values up to then"));
  const nlohmann::json figures = test::read_result(run);
  CHECK(figures["status"] == "failed");
  CHECK(figures["parameters"]["instructions"]["best"] != figures["parameters"]["instructions"]["first"]);
  CHECK(test::read_text(run / "instructions.txt") == figures["parameters"]["instructions"]["best"].get<std::string>() + "\n");
}

TEST_CASE("a missing key or model name is a mistake that is told before any call", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const test::ProcessResult no_key = test::optimize(task, folder.path() / "run", {"--model", "gpt-4o-mini"});
  CHECK(no_key.status == 2);
  CHECK_THAT(no_key.err, ContainsSubstring("OPENAI_API_KEY"));
  const test::ProcessResult no_model = test::optimize(task, folder.path() / "run", {"--base-url", "http://127.0.0.1:1/v1"});
  CHECK(no_model.status == 2);
  CHECK_THAT(no_model.err, ContainsSubstring("--model"));
  const test::ProcessResult no_url = test::optimize(task, folder.path() / "run", {"--base-url", "localhost", "--model", "m"});
  CHECK(no_url.status == 2);
  CHECK_THAT(no_url.err, ContainsSubstring("--base-url"));
  CHECK_FALSE(fs::exists(folder.path() / "run"));
}

TEST_CASE("figures of an endpoint that cannot be are said once, on standard error, and count as unknown", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  lm::Simulated simulated;
  const test::HttpServer server([&](const test::HttpRequest& request) -> test::HttpResponse {
    const lm::Request asked = test::parse_chat_request(request.body);
    nlohmann::json body = nlohmann::json::parse(test::completion_body(simulated.reply_to(asked)));
    body["usage"] = {{"prompt_tokens", -7}, {"completion_tokens", 3}};
    return {.headers = {{"Content-Type", "application/json"}}, .body = body.dump()};
  });
  const auto check_note = [&](const test::ProcessResult& result) {
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    const std::size_t at = result.err.find("note: ");
    REQUIRE(at != std::string::npos);
    CHECK_THAT(result.err.substr(at), ContainsSubstring("reports figures that cannot be (\"prompt_tokens\": -7)"));
    CHECK(result.err.find("note: ", at + 1) == std::string::npos);
    CHECK_THAT(result.out, !ContainsSubstring("note: "));
  };
  const std::vector<std::string> endpoint{"--base-url", server.url() + "/v1", "--model", "m"};
  SECTION("of optimize") { check_note(optimize_at(server.url() + "/v1", task, folder.path() / "run")); }
  SECTION("of evaluate") {
    check_note(test::run_tgd({"evaluate", task.string(), endpoint[0], endpoint[1], endpoint[2], endpoint[3]}));
  }
  SECTION("of evaluate for programs") {
    check_note(test::run_tgd({"evaluate", task.string(), "--json", endpoint[0], endpoint[1], endpoint[2], endpoint[3]}));
  }
}

TEST_CASE("a timeout that is no number of seconds is refused before anything is sent", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  std::atomic<int> requests{0};
  const test::HttpServer server([&](const test::HttpRequest&) {
    ++requests;
    return test::HttpResponse{.body = test::completion_body("billing")};
  });
  for (const std::string seconds : {"nan", "inf", "-inf", "-1", "0", "1e300", "31536001", "soon", ""}) {
    CAPTURE(seconds);
    const test::ProcessResult result = optimize_at(server.url() + "/v1", task, folder.path() / "run", {"--timeout", seconds});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("--timeout"));
    if (seconds != "0")
      CHECK(optimize_at(server.url() + "/v1", task, folder.path() / "run", {"--max-time", seconds}).status == 2);
    nlohmann::json document = nlohmann::json::parse(test::read_text(task));
    document["models"]["student"] = {{"provider", "openai"}, {"model", "m"}, {"base_url", server.url() + "/v1"}};
    for (const char* member : {"timeout_seconds", "seconds"}) {
      nlohmann::json changed = document;
      nlohmann::json& place =
          member == std::string("seconds") ? changed["budget"][member] : changed["models"]["student"][member];
      place = seconds;
      std::string text = changed.dump();
      if (seconds.find_first_of("0123456789") != std::string::npos)
        text.replace(text.find('"' + seconds + '"'), seconds.size() + 2, seconds);
      const test::ProcessResult refused = test::optimize(folder.write("other.json", text), folder.path() / "run");
      INFO(member << "\n" << refused.err);
      CHECK(refused.status == 2);
      CHECK_THAT(refused.err, ContainsSubstring(member) || ContainsSubstring("seconds"));
    }
  }
  CHECK(requests == 0);
  CHECK_FALSE(fs::exists(folder.path() / "run"));
}

namespace {

/// The small task with one model at this URL, and whatever else the model is given.
fs::path task_at(const test::TemporaryFolder& folder, const std::string& url, nlohmann::json more,
                 nlohmann::json changes = {}) {
  const fs::path task = test::write_small_task(folder);
  nlohmann::json json = nlohmann::json::parse(test::read_text(task), nullptr, true, true);
  more.update({{"provider", "openai"}, {"model", "m"}, {"base_url", url}});
  json["models"] = {{"student", std::move(more)}};
  if (changes.is_object()) json.update(changes);
  folder.write("task.json", json.dump(2));
  return task;
}

std::string last_of(const nlohmann::json& body, const std::string& role) {
  std::string content;
  for (const auto& message : body.at("messages")) {
    if (message.at("role") == role) content = message.at("content");
  }
  return content;
}

}  // namespace

TEST_CASE("headers, query and arguments of a task reach the endpoint, and their secrets nothing else", "[cli]") {
  const test::TemporaryFolder folder;
  const test::HttpServer server([](const test::HttpRequest& request) {
    const bool may = request.headers.contains("api-key") && request.headers.at("api-key") == "sk-secret-of-the-test" &&
                     request.headers.contains("x-tenant") &&
                     request.target.find("api-version=2024-06-01") != std::string::npos &&
                     !request.headers.contains("authorization");
    return may ? test::HttpResponse{.body = test::completion_body("billing")}
               : test::HttpResponse{.status = 401, .body = test::error_body("no subscription key sk-secret-of-the-test")};
  });
  const fs::path task = task_at(folder, server.url() + "/openai/deployments/d",
                                {{"headers", {{"api-key", "${OPENAI_API_KEY}"}}},
                                 {"secret_headers", {{"X-Tenant", "${TGD_TEST_TENANT}"}}},
                                 {"query", {{"api-version", "2024-06-01"}}}});
  const test::ProcessResult result =
      test::run_tgd({"check", task.string()},
                    {.environment = {{"OPENAI_API_KEY", "sk-secret-of-the-test"}, {"TGD_TEST_TENANT", "tenant-of-the-test"}}});
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  CHECK_THAT(result.out + result.err, !ContainsSubstring("of-the-test"));
}

TEST_CASE("arguments of a task reach the endpoint in the order in which they are written, and stay so in its run", "[cli]") {
  const test::TemporaryFolder folder;
  const test::ChatServer server(std::make_shared<lm::Simulated>());
  const std::string tools = R"([{"type":"function","function":{"parameters":{"reasoning":{"z":1,"a":2},"answer":{}}}}])";
  const std::string format = R"({"type":"json_schema","properties":{"reasoning":{},"answer":{}}})";
  const fs::path task = task_at(folder, server.url(), {{"model", "simulated"}, {"args", {{"tools", "TOOLS"}}}},
                                {{"optimizer", {{"args", {{"response_format", "FORMAT"}}}}}});
  std::string text = test::read_text(task);
  text.replace(text.find("\"TOOLS\""), 7, tools);
  text.replace(text.find("\"FORMAT\""), 8, format);
  folder.write("task.json", text);

  const fs::path run = folder.path() / "run";
  const test::ProcessResult result = test::optimize(task, run, {}, {.environment = {{"OPENAI_API_KEY", "sk-of-the-test"}}});
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  std::size_t steps = 0;
  for (const test::HttpRequest& request : server.http().requests()) {
    CHECK(request.body.find("\"tools\":" + tools) != std::string::npos);
    steps += request.body.find("\"response_format\":" + format) != std::string::npos ? 1 : 0;
  }
  CHECK(steps > 0);
  const auto kept = nlohmann::ordered_json::parse(test::read_text(run / "task.json"));
  CHECK(kept.at("/models/student/args/tools"_json_pointer).dump() == tools);
  CHECK(kept.at("/optimizer/args/response_format"_json_pointer).dump() == format);
}

TEST_CASE("a run in USD whose price is not known is refused before anything is sent, in words of the task file", "[cli]") {
  const test::TemporaryFolder folder;
  const test::HttpServer server(
      [](const test::HttpRequest&) { return test::HttpResponse{.body = test::completion_body("billing")}; });
  const fs::path task = task_at(folder, server.url(), nlohmann::json::object(), {{"budget", {{"usd", 1}}}});
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"check", task.string()}, {"evaluate", task.string()}, {"optimize", task.string()}}) {
    const test::ProcessResult result = test::run_tgd(command);
    CHECK(result.status == 2);
    CHECK_THAT(result.err,
               ContainsSubstring("\"price\"") && ContainsSubstring("/models/student") && !ContainsSubstring("PriceTable"));
  }
  CHECK(server.request_count() == 0);
}

TEST_CASE("a budget in USD counts thoughts that an endpoint leaves out of its completion, and what it says a call cost",
          "[cli]") {
  const test::TemporaryFolder folder;
  const std::string figures = GENERATE(R"({"prompt_tokens":20,"completion_tokens":10,"total_tokens":4030})",
                                       R"({"prompt_tokens":20,"completion_tokens":10,"total_tokens":30,"cost":0.0401})");
  const test::HttpServer server([&](const test::HttpRequest&) {
    return test::HttpResponse{.body = R"({"choices":[{"message":{"content":"billing"},"finish_reason":"stop"}],"usage":)" +
                                      figures + "}"};
  });
  const fs::path task =
      task_at(folder, server.url(), {{"price", {{"input", 0}, {"output", 10}}}}, {{"budget", {{"usd", 0.2}}}});
  test::run_tgd({"evaluate", task.string(), "--max-in-flight", "1"});
  CHECK(server.request_count() <= 6);
}

TEST_CASE("a run on a model without a system role, with a small window and with thoughts comes to its end and says so",
          "[cli]") {
  const test::TemporaryFolder folder;
  const test::HttpServer server([](const test::HttpRequest& request) -> test::HttpResponse {
    if (request.method == "GET") return {.body = R"({"data":[{"id":"m","max_model_len":1500}]})"};
    const nlohmann::json body = nlohmann::json::parse(request.body);
    for (const auto& message : body.at("messages")) {
      if (message.at("role") == "system") return {.status = 400, .body = test::error_body("System role not supported")};
    }
    if (request.body.size() > 6000)
      return {
          .status = 400,
          .body = test::error_body("This model's maximum context length is 1500 tokens. However, you requested 2500 tokens.")};
    const std::string asked = last_of(body, "user");
    std::string text = "<think>It may be billing.</think>\n\nbilling";
    if (asked.find("IMPROVED_VALUE") != std::string::npos)
      text = "<IMPROVED_VALUE>Say one word.</IMPROVED_VALUE>";
    else if (asked.find("critic") != std::string::npos)
      text = "Say one word.";
    return {.body = test::completion_body(text)};
  });
  const fs::path task = task_at(folder, server.url(), nlohmann::json::object());
  const test::ProcessResult checked = test::run_tgd({"check", task.string()});
  INFO(checked.out << checked.err);
  CHECK(checked.status == 0);
  CHECK_THAT(checked.out, ContainsSubstring("takes 1500 tokens") && ContainsSubstring("context_budget") &&
                              ContainsSubstring("it thinks first") && ContainsSubstring("\"reasoning\""));
  const test::ProcessResult result = test::optimize(task, folder.path() / "run");
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  CHECK_THAT(result.out + result.err, ContainsSubstring("system_role") && ContainsSubstring("replies came with thoughts"));
}

TEST_CASE("an endpoint that turns everybody away is given up at once by who wants no retries, and nothing more is sent",
          "[cli][concurrent]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const test::HttpServer server([](const test::HttpRequest&) {
    return test::HttpResponse{.status = 429, .body = test::error_body("Rate limit reached", "rate_limit")};
  });
  const std::vector<std::string> flags{"--base-url", server.url() + "/v1", "--model", "m", "--max-retries",
                                       "0",          "--max-in-flight",    "4"};
  const std::string command = GENERATE("optimize", "evaluate", "predict");
  std::vector<std::string> arguments{command, task.string()};
  if (command == "predict") arguments.insert(arguments.end(), {"--input", (folder.path() / "tickets.jsonl").string()});
  if (command == "optimize") arguments.insert(arguments.end(), {"--run-dir", (folder.path() / "run").string()});
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const test::ProcessResult result = test::run_tgd(arguments);
  INFO(result.out << result.err);
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("429"));
  // Those in flight, and the few that are sent before the first refusal is read.
  CHECK(server.request_count() <= 6);
}
