#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <tgd/data/records.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "support/http_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::json;

namespace {

/// Samples without a target, each with its own text.
std::string samples(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += Value{{"text", "invoice " + std::to_string(i)}}.dump() + "\n";
  return text;
}

/// Repeats what it is asked, so that each answer shows whose it is; fails where the text asks for it.
std::shared_ptr<lm::Stub> echo() {
  return lm::Stub::answering([](const lm::Request& request) {
    const std::string& text = request.messages.back().content;
    if (text.find("fail") != text.npos) throw LMError(LMError::Kind::status, "the endpoint does not like it", 403);
    return "echo of " + text;
  });
}

std::vector<std::string> at(const test::ChatServer& server, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--base-url", server.url(), "--model", "echo"});
  return arguments;
}

/// Lets the program write some lines, then sends it a signal. Its exit status, or 128 + the signal.
int run_and_signal(const std::vector<std::string>& arguments, int signal, const fs::path& output, std::size_t lines) {
  test::Process program = test::start_tgd(arguments);
  const auto written = [&] {
    const std::string text = fs::exists(output) ? test::read_text(output) : std::string();
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  };
  while (written() < lines && !program.has_ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  program.signal(signal);
  return program.wait().status;
}

}  // namespace

TEST_CASE("predict answers each line of its input, in order, whatever the order of the replies", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const std::string input = folder.write("new.jsonl", samples(40)).string();
  const test::ChatServer server(echo(), {.shuffle = std::chrono::milliseconds(20), .seed = 3});

  SECTION("from a file to standard output, which holds nothing else") {
    const test::ProcessResult result = test::run_tgd(at(server, {"predict", task, "--input", input}));
    INFO(result.err);
    REQUIRE(result.status == 0);
    const std::vector<Value> lines = test::lines_of(result.out);
    REQUIRE(lines.size() == 40);
    for (std::size_t i = 0; i < lines.size(); ++i)
      CHECK(lines[i] == Value{{"row", i}, {"prediction", "echo of invoice " + std::to_string(i)}});
    CHECK_THAT(result.err, ContainsSubstring("40 rows") && ContainsSubstring("Calls: 40"));
    CHECK(test::run_tgd(at(server, {"predict", task, "--input", input, "-q"})).err.empty());
  }
  SECTION("from standard input to a file") {
    const std::string output = (folder.path() / "out.jsonl").string();
    const test::ProcessResult result =
        test::run_process({"/bin/sh", "-c", "\"$0\" predict \"$1\" --base-url \"$2\" --model echo --output \"$3\" < \"$4\"",
                           TGD_PROGRAM, task, server.url(), output, input});
    INFO(result.err);
    REQUIRE(result.status == 0);
    CHECK(test::lines_of(test::read_text(output)).size() == 40);
    CHECK_THAT(result.out, ContainsSubstring("40 rows"));
  }
  SECTION("from a JSON list, element by element") {
    const std::string list = folder
                                 .write("new.json", R"({"data": [{"id": 1, "text": "a"},
      {"id": 2, "text": "b"}], "version": 1})")
                                 .string();
    const test::ProcessResult result = test::run_tgd(at(server, {"predict", task, "--input", list}));
    INFO(result.err);
    REQUIRE(result.status == 0);
    CHECK(result.out ==
          "{\"row\":0,\"id\":1,\"prediction\":\"echo of a\"}\n{\"row\":1,\"id\":2,\"prediction\":\"echo of b\"}\n");
  }
  SECTION("from CSV, with the task's prompt replaced") {
    const std::string table = folder.write("new.csv", "id,text\n1,\"one, two\"\n2,three\n").string();
    const std::string prompt = folder.write("prompt.txt", "Do as you like.\n").string();
    const test::ProcessResult result = test::run_tgd(at(server, {"predict", task, "--input", table, "--prompt", prompt}));
    INFO(result.err);
    REQUIRE(result.status == 0);
    CHECK(result.out ==
          "{\"row\":0,\"id\":\"1\",\"prediction\":\"echo of one, two\"}\n{\"row\":1,\"id\":\"2\",\"prediction\":\"echo of "
          "three\"}\n");
  }
}

TEST_CASE("what is the endpoint's fault ends a prediction before the row that met it, and --resume goes on there",
          "[cli][concurrent]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  constexpr std::size_t rows = 400;
  const std::string input = folder.write("new.jsonl", samples(rows)).string();
  const std::string output = (folder.path() / "out.jsonl").string();
  struct Fault {
    LMError error;
    std::string said;
  };
  const Fault fault = GENERATE(Fault{LMError(LMError::Kind::status, "Incorrect API key provided", 401), "Incorrect API key"},
                               Fault{LMError(LMError::Kind::status, "The model `ech` does not exist", 404), "does not exist"},
                               Fault{LMError(LMError::Kind::status, "the disk of the server is full", 500), "is full"});
  INFO(fault.said);
  std::atomic<bool> is_down = true;
  std::atomic<int> asked = 0;
  const test::ChatServer server(lm::Stub::answering([&](const lm::Request& request) {
    ++asked;
    if (is_down && request.messages.back().content.ends_with("invoice 5")) throw fault.error;
    return "echo of " + request.messages.back().content;
  }));
  const std::vector<std::string> arguments = at(server, {"predict", task, "--input", input, "--output", output,
                                                         "--max-in-flight", "8", "--max-retries", "0", "--resume"});

  const test::ProcessResult ended = test::run_tgd(arguments);
  INFO(ended.err);
  CHECK(ended.status == 1);
  CHECK_THAT(ended.err, ContainsSubstring(fault.said) && ContainsSubstring("new.jsonl, row 5 (line 6)") &&
                            ContainsSubstring("5 rows are done") && ContainsSubstring("--resume"));
  CHECK(test::lines_of(test::read_text(output)).size() == 5);
  CHECK(asked < static_cast<int>(rows) / 2);

  is_down = false;
  REQUIRE(test::run_tgd(arguments).status == 0);
  const std::vector<Value> lines = test::lines_of(test::read_text(output));
  REQUIRE(lines.size() == rows);
  for (std::size_t i = 0; i < rows; ++i)
    CHECK(lines[i] == Value{{"row", i}, {"prediction", "echo of invoice " + std::to_string(i)}});
}

TEST_CASE("a fault ends a prediction also while its input keeps it waiting", "[cli][concurrent]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const test::ChatServer server(echo());
  std::vector<std::string> arguments = at(server, {TGD_PROGRAM, "predict", task});
  test::Process program(arguments, {.in = pipe});
  std::ofstream(pipe) << "{\"text\": \"a\"}\n{\"text\": \"fail\"}\n";
  const test::ProcessResult result = program.wait();
  CHECK(result.status == 1);
  CHECK(test::lines_of(result.out).size() == 1);
  CHECK_THAT(result.err, ContainsSubstring("1 row is done") && ContainsSubstring("does not like it"));
}

TEST_CASE("how many rows failed by their own fault decides the exit status", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const std::string input = folder.write("new.jsonl", samples(10)).string();
  struct Case {
    std::size_t failed;
    std::optional<double> of_task;
    std::vector<std::string> flags;
    int status;
    std::string said;
  };
  const Case the = GENERATE(Case{0, std::nullopt, {}, 0, ""}, Case{9, std::nullopt, {}, 0, ""},
                            Case{10, std::nullopt, {}, 1, "none of the 10 samples got an answer"}, Case{2, 0.2, {}, 0, ""},
                            Case{3, 0.2, {}, 1, "3 of 10 samples have failed, and max_failed allows 20% of them"},
                            Case{3, 0.2, {"--max-failed", "0.3"}, 0, ""},
                            Case{1, std::nullopt, {"--max-failed", "0"}, 1, "1 of 10 samples have failed"},
                            Case{0, std::nullopt, {"--max-failed", "1.5"}, 2, "--max-failed"});
  Value json = Value::parse(test::read_text(task));
  if (the.of_task) json["training"]["max_failed"] = *the.of_task;
  folder.write(task.filename().string(), json.dump());
  const test::HttpServer server([&](const test::HttpRequest& request) -> test::HttpResponse {
    const std::string text = test::parse_chat_request(request.body).messages.back().content;
    const bool is_filtered = static_cast<std::size_t>(text.back() - '0') < the.failed;
    return {.body = is_filtered ? test::completion_body("", "content_filter") : test::completion_body("billing")};
  });
  std::vector<std::string> arguments{"predict",    task.string(),        "--input", input,
                                     "--base-url", server.url() + "/v1", "--model", "m"};
  arguments.insert(arguments.end(), the.flags.begin(), the.flags.end());
  const test::ProcessResult result = test::run_tgd(arguments);
  INFO(result.err);
  CHECK(result.status == the.status);
  CHECK_THAT(result.err, ContainsSubstring(the.said));
  if (the.status == 2) return;
  const std::vector<Value> lines = test::lines_of(result.out);
  REQUIRE(lines.size() == 10);
  for (std::size_t i = 0; i < lines.size(); ++i) CHECK(lines[i].contains("error") == (i < the.failed));
}

TEST_CASE("a malformed line of a file is named before the first call; of a pipe what stands before it is done", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const std::string input = folder.write("new.jsonl", samples(3) + "{\"text\": \n" + samples(1)).string();
  const std::string output = (folder.path() / "out.jsonl").string();
  const test::ProcessResult refused = test::run_tgd({"predict", task, "--input", input, "--output", output});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, ContainsSubstring("new.jsonl:4:") && !ContainsSubstring("rows"));
  CHECK_FALSE(std::filesystem::exists(output));

  const test::ProcessResult result = test::run_tgd({"predict", task, "--output", output}, {.in = input});
  CHECK(result.status == 2);
  CHECK_THAT(result.err, ContainsSubstring(":4:") && ContainsSubstring("3 rows") && ContainsSubstring("--resume"));
  CHECK(test::lines_of(test::read_text(output)).size() == 3);

  folder.write("new.jsonl", samples(5));
  CHECK(test::run_tgd({"predict", task, "--input", input, "--output", output, "--resume"}).status == 0);
  CHECK(test::lines_of(test::read_text(output)).size() == 5);
  const std::string fieldless = folder.write("fieldless.jsonl", "{\"txt\": \"a\"}\n").string();
  const test::ProcessResult missing = test::run_tgd({"predict", task, "--input", fieldless});
  CHECK(missing.status == 2);
  CHECK_THAT(missing.err, ContainsSubstring("fieldless.jsonl:1") && ContainsSubstring("text"));
}

TEST_CASE("an output is never overwritten without being asked to", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const std::string input = folder.write("new.jsonl", samples(2)).string();
  const std::string output = folder.write("out.jsonl", "{\"mine\": 1}\n").string();
  const std::vector<std::string> arguments{"predict", task, "--input", input, "--output", output};
  const auto with = [&](const std::string& flag) {
    std::vector<std::string> all = arguments;
    all.push_back(flag);
    return test::run_tgd(all);
  };
  const test::ProcessResult refused = test::run_tgd(arguments);
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, ContainsSubstring("--force") && ContainsSubstring("--resume"));
  const test::ProcessResult foreign = with("--resume");
  CHECK(foreign.status == 2);
  CHECK_THAT(foreign.err, ContainsSubstring("not written by"));
  CHECK_THAT(foreign.err, ContainsSubstring("out.jsonl:1: the member \"row\" is missing"));
  CHECK(test::read_text(output) == "{\"mine\": 1}\n");
  for (const char* line :
       {R"({"row": 1})", R"({"row": 0.0})", R"({"row": null})", R"({"row": "0"})", R"({"row": [0]})", "{row}"}) {
    CAPTURE(line);
    folder.write("out.jsonl", std::string(line) + "\n");
    const test::ProcessResult damaged = with("--resume");
    CHECK(damaged.status == 2);
    CHECK_THAT(damaged.err, ContainsSubstring("out.jsonl:1:") && ContainsSubstring("not written by"));
    CHECK(test::read_text(output) == std::string(line) + "\n");
  }
  CHECK(with("--force").status == 0);
  CHECK(test::lines_of(test::read_text(output)).size() == 2);
  CHECK(test::run_tgd({"predict", task, "--input", input, "--resume"}).status == 2);
}

TEST_CASE("what is read is never written to, by whatever name", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path task = test::write_small_task(folder);
  const fs::path table = folder.write("new.csv", "text\na\n");
  fs::create_symlink(table, folder.path() / "link.csv");
  for (const char* flag : {"--force", "--resume"}) {
    for (const fs::path& output : {table, folder.path() / "link.csv", folder.path() / "." / "new.csv"}) {
      const test::ProcessResult refused = test::run_tgd({"predict", task, "--input", table, "--output", output, flag});
      CHECK(refused.status == 2);
      CHECK_THAT(refused.err, ContainsSubstring("is what is read"));
    }
  }
  CHECK(test::run_tgd({"predict", task, "--input", table, "--output", task, "--force"}).status == 2);
  CHECK(test::run_tgd({"evaluate", task, "--output", folder.path() / "tickets.jsonl", "--force"}).status == 2);
  CHECK(test::read_text(table) == "text\na\n");
  const fs::path other = folder.write("other.csv", "id,text\r\n1,a\r\n");
  const test::ProcessResult foreign = test::run_tgd({"predict", task, "--input", table, "--output", other, "--resume"});
  CHECK(foreign.status == 2);
  CHECK_THAT(foreign.err, ContainsSubstring("was not written by"));
  CHECK(test::read_text(other) == "id,text\r\n1,a\r\n");
}

TEST_CASE("a prediction that is killed or interrupted goes on behind its last whole line and ends the same", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  constexpr std::size_t rows = 60;
  const std::string input = folder.write("new.jsonl", samples(rows)).string();
  const test::ChatServer server(echo(), {.latency = std::chrono::milliseconds(60)});
  const fs::path whole = folder.path() / "whole.jsonl";
  const fs::path output = folder.path() / "out.jsonl";
  REQUIRE(test::run_tgd(at(server, {"predict", task, "--input", input, "--output", whole.string()})).status == 0);
  const std::vector<std::string> arguments =
      at(server, {"predict", task, "--input", input, "--output", output.string(), "--resume", "--max-in-flight", "2"});

  const int signal = GENERATE(SIGKILL, SIGINT);
  for (const std::size_t lines : {7U, 20U, 21U, 40U}) {
    const int status = run_and_signal(arguments, signal, output, lines);
    CHECK(status == (signal == SIGKILL ? 128 + SIGKILL : 130));
    const std::string text = test::read_text(output);
    CHECK(test::read_text(whole).starts_with(signal == SIGKILL ? text.substr(0, text.rfind('\n') + 1) : text));
  }
  REQUIRE(test::run_tgd(arguments).status == 0);
  CHECK(test::read_text(output) == test::read_text(whole));

  // A line that a crash cut off is written anew.
  const std::string text = test::read_text(whole);
  folder.write("out.jsonl", text.substr(0, text.size() - 10));
  REQUIRE(test::run_tgd(arguments).status == 0);
  CHECK(test::read_text(output) == text);

  // Nothing is asked again for what is there.
  const test::ProcessResult done = test::run_tgd(arguments);
  REQUIRE(done.status == 0);
  CHECK_THAT(done.out, ContainsSubstring("Calls: 0"));
}

TEST_CASE("other fields of the input pass through, and out of a table into a table its columns", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const auto lines =
      folder.write("in.jsonl", "{\"id\": \"T-1\", \"text\": \"My invoice is wrong\", \"row\": 9, \"tags\": [1]}\n");
  const auto answered = test::lines_of(test::run_tgd({"predict", task, "--input", lines}).out).at(0);
  CHECK(answered["row"] == 0);
  CHECK(answered["row_"] == 9);
  CHECK(answered["id"] == "T-1");
  CHECK(answered["tags"] == Value{1});
  CHECK_FALSE(answered.contains("text"));

  const auto table =
      folder.write("in.csv", "id;text;error\n1;\"My invoice; it is \"\"wrong\"\"\nsee\";x\n2;Where is my parcel?;\n");
  const std::string output = (folder.path() / "out.csv").string();
  const std::vector<std::string> arguments{"predict", task, "--input", table, "--output", output};
  REQUIRE(test::run_tgd(arguments).status == 0);
  const data::CsvFile rows(output);
  CHECK(rows.names() == std::vector<std::string>{"id", "text", "error", "prediction", "problem", "error_"});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].at("id").text() == "1");
  CHECK(rows[0].at("text").text() == "My invoice; it is \"wrong\"\nsee");
  CHECK_FALSE(rows[0].at("prediction").text().empty());

  // A row that was cut off is made again.
  const std::string whole = test::read_text(output);
  folder.write("out.csv", whole.substr(0, whole.size() - 4));
  std::vector<std::string> again = arguments;
  again.push_back("--resume");
  REQUIRE(test::run_tgd(again).status == 0);
  CHECK(test::read_text(output) == whole);
  CHECK(test::run_tgd({"predict", task, "--input", lines, "--output", (folder.path() / "other.csv").string()}).status == 2);
}

TEST_CASE("a prediction goes on with what it was begun with, and with nothing else", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const std::string input = folder.write("new.jsonl", samples(3)).string();
  const std::string output = (folder.path() / "out.jsonl").string();
  const auto predict = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"predict", task, "--input", input, "--output", output});
    return test::run_tgd(more);
  };
  REQUIRE(predict({}).status == 0);
  const std::string before = test::read_text(output);
  const std::string prompt = folder.write("prompt.txt", "Say billing.").string();
  const test::ProcessResult refused = predict({"--resume", "--prompt", prompt});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, ContainsSubstring("were made with another one of: prompt (") && ContainsSubstring("--force"));
  const test::ProcessResult other_model = predict({"--resume", "--base-url", "http://127.0.0.1:9/v1", "--model", "m"});
  CHECK_THAT(other_model.err, ContainsSubstring("another one of: models ("));
  CHECK(test::read_text(output) == before);
  CHECK(predict({"--resume"}).status == 0);
  CHECK(predict({"--force", "--prompt", prompt}).status == 0);
  CHECK(predict({"--resume", "--prompt", prompt}).status == 0);
}
