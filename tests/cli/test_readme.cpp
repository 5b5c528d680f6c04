// What the README says of the program, done as it says.

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "task/data.hpp"
#include "task/task.hpp"

using namespace tgd;
namespace fs = std::filesystem;

namespace {

/// The code blocks of a language in the README, in order.
std::vector<std::string> blocks(const std::string& language) {
  std::istringstream readme(test::read_text(test::examples / "../README.md"));
  std::vector<std::string> found;
  bool is_inside = false;
  for (std::string line; std::getline(readme, line);) {
    if (is_inside && line == "```") {
      is_inside = false;
    } else if (is_inside) {
      found.back() += line + "\n";
    } else if (line == "```" + language) {
      is_inside = true;
      found.emplace_back();
    }
  }
  return found;
}

/// "tgd init mails.csv        # comment" as the program's arguments.
std::vector<std::string> arguments_of(const std::string& command) {
  std::istringstream words(command.substr(0, command.find(" #")));
  std::vector<std::string> arguments{TGD_PROGRAM};
  std::string word;
  words >> word;  // the program's name
  while (words >> word) arguments.push_back(word);
  return arguments;
}

/// 100 of the shipped tickets as CSV.
void write_mails(const test::TemporaryFolder& folder) {
  std::istringstream tickets(test::read_text(test::examples / "tickets/tickets.jsonl"));
  std::string csv = "id,text,label\n";
  std::string line;
  for (int i = 0; i < 100 && std::getline(tickets, line); ++i) {
    const auto ticket = nlohmann::json::parse(line);
    std::string text = ticket["text"];
    for (std::size_t quote = text.find('"'); quote != text.npos; quote = text.find('"', quote + 2)) text.insert(quote, "\"");
    csv += std::to_string(i) + ",\"" + text + "\"," + ticket["label"].get<std::string>() + "\n";
  }
  folder.write("mails.csv", csv);
}

}  // namespace

TEST_CASE("the first three commands lead from a CSV file to a better prompt and a report", "[cli]") {
  const test::TemporaryFolder folder;
  write_mails(folder);
  const std::string commands = blocks("sh").at(0);
  std::istringstream lines(commands);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    REQUIRE(line.starts_with("tgd "));
    const test::ProcessResult result = test::run_process(arguments_of(line), {.folder = folder.path()});
    INFO(line << "\n" << result.out << result.err);
    CHECK(result.status == 0);
  }
  CHECK(count == 3);
  const fs::path run = fs::directory_iterator(folder.path() / "runs")->path();
  CHECK(fs::exists(run / "report.html"));
  const nlohmann::json accuracy = test::read_result(run)["accuracy"]["test"];
  CHECK(accuracy["after"].get<double>() - accuracy["before"].get<double>() >= 0.2);
}

TEST_CASE("the README's task is one", "[cli]") {
  const test::TemporaryFolder folder;
  for (const char* part : {"train.csv", "dev.csv", "test.csv"}) folder.write(part, "Question,Answer\nWhere?,here\n");
  folder.write("plan.txt", "Collect facts.");
  ::setenv("LOCAL_URL", "http://localhost:8000/v1", 1);
  const std::vector<std::string> tasks = blocks("jsonc");
  REQUIRE(tasks.size() == 1);
  const cli::Task task = cli::read_task(folder.write("task.json", tasks[0]));
  CHECK(task.stages.size() == 2);
  CHECK(task.models.at("student").base_url == "http://localhost:8000/v1");
  CHECK(cli::load_data(task.data).size() == 3);
}
