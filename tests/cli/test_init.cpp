#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/init/guess.hpp"
#include "cli/tickets.hpp"
#include "support/process.hpp"
#include "task/data.hpp"
#include "task/task.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Type = cli::EvaluatorSpec::Type;
namespace fs = std::filesystem;

namespace {

test::ProcessResult init(const fs::path& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {TGD_PROGRAM, "init"});
  return test::run_process(arguments, {.folder = folder});
}

/// Runs init on data.<ending> and reads the task that it writes, as the program would.
cli::Task task_for(const test::TemporaryFolder& folder, const std::string& ending, const std::string& text,
                   std::vector<std::string> flags = {}) {
  folder.write("data" + ending, text);
  flags.insert(flags.begin(), {"data" + ending, "--force"});
  const test::ProcessResult result = init(folder.path(), flags);
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  cli::Task task = cli::read_task(folder.path() / "task.json");
  CHECK(cli::load_data(task.data).train.size() > 0);
  return task;
}

/// The rows again and again, each with its number in front and wherever # stands.
std::string repeated(const std::string& head, const std::vector<std::string>& rows, std::size_t times) {
  std::string text = head;
  for (std::size_t i = 0; i < times; ++i) {
    const std::string number = std::to_string(i + 1);
    text += number;
    for (const char c : rows[i % rows.size()]) text += c == '#' ? number : std::string(1, c);
    text += "\n";
  }
  return text;
}

const std::string mail = ",\"Dear all, my order # has not arrived and I wonder when it will\",";
const std::vector<std::string> mails{mail + "shipping", mail + "billing"};

}  // namespace

TEST_CASE("init reads what spreadsheets of any country write", "[cli][init]") {
  const test::TemporaryFolder folder;
  const char delimiter = GENERATE(';', '\t');
  std::string rows = "id,\"body, all of it\",topic\n" + repeated("", mails, 40);
  bool in_quotes = false;
  for (char& c : rows) {
    if (c == '"') in_quotes = !in_quotes;
    if (c == ',' && !in_quotes) c = delimiter;
  }
  const cli::Task task = task_for(folder, ".csv", rows);
  CHECK(task.data.target == "topic");
  CHECK(task.data.inputs.at(0).second == "body, all of it");
}

TEST_CASE("init guesses the answer and what to read from a table", "[cli][init]") {
  const test::TemporaryFolder folder;
  const cli::Task task = task_for(folder, ".csv", repeated("id,body,topic\n", mails, 40));
  CHECK(task.data.target == "topic");
  CHECK(task.data.inputs == std::vector<std::pair<std::string, std::string>>{{"body", "body"}});
  CHECK(task.evaluator.type == Type::exact_match);
  CHECK(task.stages[0].output[0].kind == cli::OutputStep::Kind::lower_case);
  CHECK_THAT(task.parameters[0].value, ContainsSubstring("billing or shipping"));
  CHECK(task.optimizer.momentum == 3);
  CHECK(task.optimizer.constraints.size() == 1);
  CHECK(task.models.at("student").provider == "simulated");
  CHECK(task.cache == folder.path() / "replies.db");
}

TEST_CASE("init says what it guessed and why, and what to do next", "[cli][init]") {
  const test::TemporaryFolder folder;
  folder.write("mail.csv", repeated("id,body,topic\n", mails, 40));
  const test::ProcessResult result = init(folder.path(), {"mail.csv"});
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, ContainsSubstring("\"topic\", because its name says so: billing, shipping"));
  CHECK_THAT(result.out, ContainsSubstring("\"body\" as {body}"));
  CHECK_THAT(result.out, ContainsSubstring("\"id\": looks like an identifier"));
  CHECK_THAT(result.out, ContainsSubstring("tgd check task.json") && ContainsSubstring("tgd optimize task.json"));

  const auto document = nlohmann::json::parse(init(folder.path(), {"mail.csv", "--json", "--force"}).out);
  CHECK(document["target"] == "topic");
  CHECK(document["inputs"]["body"] == "body");
}

TEST_CASE("init names placeholders for columns of any name", "[cli][init]") {
  CHECK(cli::placeholder_for("Größe (cm)") == "groesse_cm");
  CHECK(cli::placeholder_for("Customer's message") == "customer_s_message");
  CHECK(cli::placeholder_for("1st") == "st");
  CHECK(cli::placeholder_for("質問") == "input");

  const test::TemporaryFolder folder;
  const std::string rows =
      repeated("nr,Nachricht für uns,target text,label\n",
               {mail + "\"a longer text # that is read, too\",x", mail + "\"another long text # that is read\",y"}, 20);
  const cli::Task task = task_for(folder, ".csv", rows);
  CHECK(task.data.inputs == std::vector<std::pair<std::string, std::string>>{{"nachricht_fuer_uns", "Nachricht für uns"},
                                                                             {"target_text", "target text"}});
  CHECK_THAT(task.stages[0].messages[1].content[0], ContainsSubstring("Nachricht für uns: {nachricht_fuer_uns}"));
}

TEST_CASE("init picks the evaluator by what answers look like", "[cli][init]") {
  const test::TemporaryFolder folder;
  const std::string question = ",\"how many pieces are in box # that came with the order\",";
  SECTION("numbers") {
    const cli::Task task =
        task_for(folder, ".csv", repeated("id,question,answer\n", {question + "12", question + "3.5", question + "7"}, 30));
    CHECK(task.evaluator.type == Type::number);
    CHECK(task.stages[0].output[0].kind == cli::OutputStep::Kind::number);
  }
  SECTION("upper case") {
    const cli::Task task = task_for(folder, ".csv", repeated("id,question,answer\n", {question + "Yes", question + "No"}, 30));
    CHECK(task.evaluator.type == Type::exact_match);
    CHECK(task.evaluator.ignore_case);
  }
  SECTION("JSON") {
    const std::string record =
        R"({"text": "the lamp in the hall is broken since monday", "answer": {"urgency": "high", "urgent": true, "floor": 2}})";
    std::string rows;
    for (int i = 0; i < 20; ++i) rows += record + "\n";
    rows += R"({"text": "thank you", "answer": {"urgency": "low", "urgent": false, "floor": 1}})";
    const cli::Task task = task_for(folder, ".jsonl", rows);
    CHECK(task.evaluator.type == Type::json_fields);
    CHECK(task.data.target == "answer");
    CHECK(task.stages[0].output[0].kind == cli::OutputStep::Kind::fenced_json);
    CHECK_THAT(task.parameters[0].value, ContainsSubstring("\"urgency\": \"…\""));
  }
  SECTION("long texts") {
    std::string rows;
    for (int i = 0; i < 20; ++i) {
      rows += nlohmann::json{{"question", "why does the lamp flicker, asks tenant " + std::to_string(i)},
                             {"answer",
                              "the lamp flickers since its contact is loose, so turn it off and tighten it by hand, tenant " +
                                  std::to_string(i)}}
                  .dump() +
              "\n";
    }
    const cli::Task task = task_for(folder, ".jsonl", rows);
    CHECK(task.evaluator.type == Type::judge);
    CHECK_THAT(task.evaluator.messages[0].content[0], ContainsSubstring("{prediction}") && ContainsSubstring("{target}"));
  }
}

TEST_CASE("init takes a target and inputs from the command line, inside other members, too", "[cli][init]") {
  const test::TemporaryFolder folder;
  nlohmann::json rows = nlohmann::json::array();
  for (int i = 0; i < 12; ++i)
    rows.push_back(
        {{"fields", {{"input", "a text to be read by somebody " + std::to_string(i)}, {"kind", i % 2 == 0 ? "a" : "b"}}},
         {"extra", "x"}});
  SECTION("guessed") {
    const cli::Task task = task_for(folder, ".json", rows.dump());
    CHECK(task.data.target == "/fields/kind");
    CHECK(task.data.inputs[0] == std::pair<std::string, std::string>{"input", "/fields/input"});
  }
  SECTION("given") {
    const cli::Task task = task_for(folder, ".json", rows.dump(), {"--target", "/fields/input", "--input", "/fields/kind"});
    CHECK(task.data.target == "/fields/input");
    CHECK(task.data.inputs == std::vector<std::pair<std::string, std::string>>{{"kind", "/fields/kind"}});
  }
  SECTION("misspelt") {
    folder.write("data.json", rows.dump());
    const test::ProcessResult result = init(folder.path(), {"data.json", "--target", "/fields/knd"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("did you mean \"/fields/kind\"?"));
  }
}

TEST_CASE("init says what a file lacks, and writes nothing then", "[cli][init]") {
  const test::TemporaryFolder folder;
  const auto complaint = [&](const std::string& name, const std::string& text) {
    folder.write(name, text);
    const test::ProcessResult result = init(folder.path(), {name});
    CHECK(result.status == 2);
    CHECK_FALSE(fs::exists(folder.path() / "task.json"));
    return result.err;
  };
  CHECK_THAT(complaint("a.csv", "text\na\nb\nc\nd\n"), ContainsSubstring("the only field is \"text\""));
  CHECK_THAT(complaint("a.csv", "text,label\na,b\nc,d\n"), ContainsSubstring("2 samples") && ContainsSubstring("at least 3"));
  CHECK_THAT(complaint("a.csv", "text,label\n"), ContainsSubstring("no samples"));
  CHECK_THAT(complaint("a.csv", "one,two\na b c d,e f g h\ni j k l,m n o p\nq r s t,u v w x\n"),
             ContainsSubstring("--target") && ContainsSubstring("\"one\" and \"two\""));
  CHECK_THAT(complaint("a.csv", "text,label\na,b,c\n"), ContainsSubstring("a.csv:2:"));
  CHECK_THAT(complaint("a.jsonl", "{\"text\": \"a\", \"label\": \"b\"}\n{\"text\": \n"), ContainsSubstring("a.jsonl:2:"));
  CHECK_THAT(complaint("a.jsonl", ""), ContainsSubstring("a.jsonl"));
  CHECK_THAT(complaint("a.json", "{\"rows\": 1}"), ContainsSubstring("a.json"));
  CHECK_THAT(complaint("a.xlsx", ""), ContainsSubstring("soffice --headless --convert-to csv"));
  const test::ProcessResult missing = init(folder.path(), {"nothing.csv"});
  CHECK(missing.status == 2);
  CHECK_THAT(missing.err, ContainsSubstring("there is no file nothing.csv"));
}

TEST_CASE("init leaves a file that is there as it is, unless it is told", "[cli][init]") {
  const test::TemporaryFolder folder;
  folder.write("data.csv", repeated("id,body,topic\n", mails, 10));
  folder.write("task.json", "mine");
  const test::ProcessResult refused = init(folder.path(), {"data.csv"});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, ContainsSubstring("--force"));
  CHECK(test::read_text(folder.path() / "task.json") == "mine");
  CHECK(init(folder.path(), {"data.csv", "--force"}).status == 0);
  CHECK(cli::read_task(folder.path() / "task.json").data.target == "topic");
}

TEST_CASE("init finds the data from wherever the task lies", "[cli][init]") {
  const test::TemporaryFolder folder;
  folder.write("data/mail.csv", repeated("id,body,topic\n", mails, 10));
  fs::create_directory(folder.path() / "tasks");
  REQUIRE(init(folder.path(), {"data/mail.csv", "-o", "tasks/mail.json"}).status == 0);
  const cli::Task task = cli::read_task(folder.path() / "tasks/mail.json");
  CHECK(cli::load_data(task.data).train.size() > 0);
  CHECK(task.name == "mail");
}

TEST_CASE("the starter task of the shipped tickets runs and improves", "[cli][init]") {
  const test::TemporaryFolder folder;
  fs::copy(test::examples / "tickets/tickets.jsonl", folder.path() / "tickets.jsonl");
  REQUIRE(init(folder.path(), {"tickets.jsonl"}).status == 0);
  const test::ProcessResult result = test::optimize(folder.path() / "task.json", folder.path() / "run");
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  const nlohmann::json accuracy = test::read_result(folder.path() / "run")["accuracy"]["test"];
  CHECK(accuracy["before"].get<double>() > 0.15);
  CHECK(accuracy["after"].get<double>() > accuracy["before"].get<double>());
}

TEST_CASE("init reads the data of the tutorial", "[cli][init]") {
  const char* data = std::getenv("TGD_TEST_DATA");
  if (data == nullptr) {
    WARN("skipped: TGD_TEST_DATA is not set; it names a folder with facility_support/dataset.json");
    return;
  }
  const test::TemporaryFolder folder;
  const test::ProcessResult result = init(folder.path(), {(fs::path(data) / "facility_support/dataset.json").string()});
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  const cli::Task task = cli::read_task(folder.path() / "task.json");
  CHECK(task.data.target == "answer");
  CHECK(task.data.inputs == std::vector<std::pair<std::string, std::string>>{{"input", "/fields/input"}});
  CHECK(task.evaluator.type == Type::json_fields);
  CHECK(cli::load_data(task.data).size() == 200);
}

TEST_CASE("init names the model that it is told, and never credentials", "[cli][init]") {
  const test::TemporaryFolder folder;
  const std::string rows = repeated("id,body,topic\n", mails, 40);
  const cli::Task named = task_for(folder, ".csv", rows, {"--model", "gpt-4o-mini"});
  CHECK(named.models.at("student").provider == "openai");
  CHECK(named.models.at("student").model == "gpt-4o-mini");
  const cli::Task served = task_for(folder, ".csv", rows, {"--model", "qwen3", "--base-url", "http://localhost:8000/v1"});
  CHECK(served.models.at("student").base_url == "http://localhost:8000/v1");
  CHECK(init(folder.path(), {"data.csv", "--force", "--base-url", "http://localhost:8000/v1"}).status == 2);
  const test::ProcessResult secret =
      init(folder.path(), {"data.csv", "--force", "--model", "m", "--base-url", "http://me:word@localhost:8000/v1"});
  CHECK(secret.status == 2);
  CHECK_THAT(secret.err, ContainsSubstring("no place for credentials"));
}

TEST_CASE("the task for long answers has a judge that a simulation can play", "[cli][init]") {
  const test::TemporaryFolder folder;
  std::string rows;
  for (int i = 0; i < 30; ++i) {
    const std::string number = std::to_string(i);
    rows += nlohmann::json{{"question", "What became of order " + number + ", which I have been waiting for?"},
                           {"answer", "Order " + number + " was sent on Monday, and the carrier says that it will be with you by the "
                                      "end of this week; write to us again if it is not."}}
                .dump() +
            "\n";
  }
  const cli::Task task = task_for(folder, ".jsonl", rows);
  CHECK(task.evaluator.type == Type::judge);
  const test::ProcessResult run =
      test::run_process({TGD_PROGRAM, "optimize", "task.json", "--run-dir", "run"}, {.folder = folder.path()});
  INFO(run.out << run.err);
  CHECK(run.status == 0);
}
