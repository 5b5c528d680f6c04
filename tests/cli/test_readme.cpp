// What the README and the guides say of the program, done as they say.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "support/program.hpp"
#include "task/data.hpp"
#include "task/task.hpp"

using namespace tgd;
namespace fs = std::filesystem;

namespace {

struct Block {
  std::string language;
  std::string code;
};

/// The fenced code blocks of a Markdown file, in order.
std::vector<Block> blocks_of(const fs::path& file) {
  std::istringstream markdown(test::read_text(file));
  std::vector<Block> found;
  bool is_inside = false;
  for (std::string line; std::getline(markdown, line);) {
    if (line.starts_with("```")) {
      is_inside = !is_inside;
      if (is_inside) found.push_back({line.substr(3), {}});
    } else if (is_inside) {
      found.back().code += line + "\n";
    }
  }
  return found;
}

std::vector<std::string> blocks_of(const fs::path& file, const std::string& language) {
  std::vector<std::string> found;
  for (const Block& block : blocks_of(file)) {
    if (block.language == language) found.push_back(block.code);
  }
  return found;
}

fs::path readme() { return test::examples / "../README.md"; }

std::vector<fs::path> guides() {
  std::vector<fs::path> files{readme()};
  for (const auto& entry : fs::directory_iterator(test::examples / "guide")) {
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The first of the shipped tickets as CSV.
void write_mails(const test::TemporaryFolder& folder, int rows = 40) {
  std::istringstream tickets(test::read_text(test::examples / "tickets/tickets.jsonl"));
  std::string csv = "id,text,label\n";
  std::string line;
  for (int i = 0; i < rows && std::getline(tickets, line); ++i) {
    const auto ticket = nlohmann::json::parse(line);
    std::string text = ticket["text"];
    for (std::size_t quote = text.find('"'); quote != text.npos; quote = text.find('"', quote + 2)) text.insert(quote, "\"");
    csv += std::to_string(i) + ",\"" + text + "\"," + ticket["label"].get<std::string>() + "\n";
  }
  folder.write("mails.csv", csv);
}

/// What a reader of the guides has: data, a task, and two runs of it.
void prepare(const test::TemporaryFolder& folder) {
  static const test::TemporaryFolder ready;
  static const bool is_ready = [] {
    const fs::path task = test::write_small_task(ready, 30);
    for (const char* run : {"first", "second"}) {
      const test::ProcessResult result = test::optimize(task, ready.path() / "runs" / run, {"--epochs", "1"});
      if (result.status != 0) throw std::runtime_error(result.err);
    }
    return true;
  }();
  REQUIRE(is_ready);
  fs::copy(ready.path(), folder.path(), fs::copy_options::recursive);
  write_mails(folder);
  fs::create_directory(folder.path() / "bin");
  fs::create_symlink(TGD_PROGRAM, folder.path() / "bin/tgd");
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

}  // namespace

TEST_CASE("the first three commands lead from a CSV file to a better prompt and a report", "[cli]") {
  const test::TemporaryFolder folder;
  prepare(folder);
  write_mails(folder, 100);
  fs::remove_all(folder.path() / "runs");
  fs::remove(folder.path() / "task.json");
  const std::string commands = blocks_of(readme(), "sh").at(0);
  CHECK(std::count(commands.begin(), commands.end(), '\n') == 3);
  const test::ProcessResult result = test::run_process(
      {"/bin/sh", "-eu", "-c", commands},
      {.folder = folder.path(), .environment = {{"PATH", (folder.path() / "bin").string() + ":/usr/bin:/bin"}}});
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  const fs::path run = fs::directory_iterator(folder.path() / "runs")->path();
  CHECK(fs::exists(run / "report.html"));
  const nlohmann::json accuracy = test::read_result(run)["accuracy"]["test"];
  CHECK(accuracy["after"].get<double>() - accuracy["before"].get<double>() >= 0.2);
}

TEST_CASE("the README fits on two pages", "[cli]") {
  const std::string text = test::read_text(readme());
  CHECK(std::count(text.begin(), text.end(), '\n') <= 160);
}

TEST_CASE("every command of the guides runs, endpoints being a server of the test's", "[cli]") {
  const test::ChatServer server(std::make_shared<lm::Simulated>());
  for (const fs::path& guide : guides()) {
    const test::TemporaryFolder folder;
    const std::vector<std::string> blocks = blocks_of(guide, "sh");
    if (blocks.empty()) continue;
    prepare(folder);
    const bool makes_task = std::any_of(blocks.begin(), blocks.end(),
                                        [](const std::string& block) { return block.find("tgd init") != block.npos; });
    if (makes_task) fs::remove(folder.path() / "task.json");
    const std::map<std::string, std::string> environment{{"PATH", (folder.path() / "bin").string() + ":/usr/bin:/bin"},
                                                         {"OPENAI_BASE_URL", server.url()},
                                                         {"OPENAI_API_KEY", "none"}};
    for (const std::string& block : blocks) {
      const std::string commands =
          replaced(replaced(block, "http://localhost:8000/v1", server.url()), "http://localhost:11434/v1", server.url());
      const test::ProcessResult result =
          test::run_process({"/bin/sh", "-eu", "-c", commands}, {.folder = folder.path(), .environment = environment});
      INFO(guide << "\n" << block << result.out << result.err);
      CHECK(result.status == 0);
    }
  }
}

TEST_CASE("every task of the guides is one", "[cli]") {
  ::setenv("LOCAL_URL", "http://localhost:8000/v1", 1);
  std::size_t count = 0;
  for (const fs::path& guide : guides()) {
    for (const std::string& block : blocks_of(guide, "jsonc")) {
      const test::TemporaryFolder folder;
      write_mails(folder);
      for (const char* part : {"train.csv", "dev.csv", "test.csv"}) folder.write(part, "Question,Answer\nWhere?,here\n");
      folder.write("plan.txt", "Collect facts.");
      INFO(guide << "\n" << block);
      const cli::Task task = cli::read_task(folder.write("task.json", block));
      CHECK(task.models.at("student").base_url == "http://localhost:8000/v1");
      CHECK(cli::load_data(task.data).size() > 0);
      ++count;
    }
  }
  CHECK(count >= 2);
}

TEST_CASE("every piece of a task, and every program in Python, is one", "[cli]") {
  const auto python = test::find_program("python3");
  for (const fs::path& guide : guides()) {
    for (std::string block : blocks_of(guide, "json")) {
      INFO(guide << "\n" << block);
      if (block.starts_with('"')) block = "{" + block + "}";  // a member
      CHECK(nlohmann::json::accept(block, true));
    }
    for (const std::string& block : blocks_of(guide, "python")) {
      if (!python) continue;
      const test::TemporaryFolder folder;
      const test::ProcessResult result =
          test::run_process({*python, "-m", "py_compile", folder.write("block.py", block).string()});
      INFO(guide << "\n" << block << result.err);
      CHECK(result.status == 0);
    }
  }
}

TEST_CASE("nothing in the guides is of a kind that nobody runs or compiles", "[cli]") {
  // cpp is compiled by tests/docs, text and console show what is seen or typed elsewhere, mermaid is a drawing.
  const std::set<std::string> known{"sh", "jsonc", "json", "python", "cpp", "cmake", "text", "console", "mermaid"};
  for (const fs::path& guide : guides()) {
    for (const Block& block : blocks_of(guide)) {
      INFO(guide << "\n" << block.code);
      CHECK(known.count(block.language) == 1);
    }
  }
}

TEST_CASE("no link of the guides is dead", "[cli]") {
  const std::regex link(R"re(\]\(([^)#\s]*)(#[^)\s]*)?\))re");
  for (const fs::path& guide : guides()) {
    const std::string text = test::read_text(guide);
    for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at) {
      const std::string target = (*at)[1];
      if (target.empty() || target.find("://") != target.npos) continue;
      INFO(guide << ": " << target);
      CHECK(fs::exists(guide.parent_path() / target));
    }
  }
}

TEST_CASE("the reference of task files is that of the schema", "[cli]") {
  CHECK(test::run_tgd({"schema", "--markdown"}).out == test::read_text(test::examples / "guide/task-reference.md"));
}

TEST_CASE("the words that troubleshooting begins with are the program's", "[cli]") {
  std::string sources;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(TGD_TEST_SOURCE_DIR) / "../src")) {
    const std::string ending = entry.path().extension().string();
    if (ending == ".cpp" || ending == ".hpp" || ending == ".js") sources += test::read_text(entry.path());
  }
  sources = std::regex_replace(sources, std::regex(R"re("\s*\n\s*")re"), "");  // a literal goes on in the next line
  std::istringstream lines(test::read_text(test::examples / "guide/troubleshooting.md"));
  const std::regex quoted("`([^`]+)`");
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ")) continue;
    const std::string first = line.substr(2, line.find(" | ", 2) - 2);
    for (std::sregex_iterator at(first.begin(), first.end(), quoted), end; at != end; ++at) {
      // Between what differs from case to case.
      std::string words = std::regex_replace((*at)[1].str(), std::regex("…|\"[^\"]*\""), "\n");
      std::istringstream pieces(words);
      for (std::string piece; std::getline(pieces, piece);) {
        while (!piece.empty() && (piece.front() == ' ' || piece.front() == ';' || piece.front() == '?')) piece.erase(0, 1);
        while (!piece.empty() && (piece.back() == ' ' || piece.back() == '?')) piece.pop_back();
        if (piece.size() < 8) continue;
        INFO(piece);
        CHECK(sources.find(piece) != std::string::npos);
        ++count;
      }
    }
  }
  CHECK(count >= 20);
}

TEST_CASE("a site is made of the guides, without a dead link, where mkdocs is installed", "[cli]") {
  const auto python = test::find_program("python3");
  if (!python || test::run_process({*python, "-c", "import mkdocs, material"}).status != 0) {
    WARN("no mkdocs-material: python3 -m pip install mkdocs-material, to build the site");
    return;
  }
  const test::TemporaryFolder folder;
  const test::ProcessResult result =
      test::run_process({*python, (test::examples / "guide/site.py").string(), (folder.path() / "site").string()});
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  const fs::path site = folder.path() / "site/html";
  CHECK(fs::exists(site / "troubleshooting.html"));
  // Every guide is in it, and with doxygen every public header.
  for (const fs::path& guide : guides()) {
    if (guide == readme() || guide.filename() == "README.md") continue;
    CHECK(fs::exists(site / guide.filename().replace_extension(".html")));
  }
  if (test::find_program("doxygen")) {
    CHECK_THAT(test::read_text(site / "cpp-variable.html"), Catch::Matchers::ContainsSubstring("requires_grad"));
    CHECK_THAT(test::read_text(site / "cpp.html"), Catch::Matchers::ContainsSubstring("cpp-lm-openai.html"));
  }
  CHECK_FALSE(fs::exists(test::examples / "guide/__pycache__"));
}

TEST_CASE("every guide is there, and the first page of the site leads to it", "[cli]") {
  // Pages that were promised by name.
  for (const char* page : {"getting-started", "task-files", "task-reference", "metrics", "reading-a-report", "cost",
                           "local-models", "troubleshooting", "embedding", "functions", "how-it-works", "coming-from",
                           "benchmarks", "contributing", "changelog"}) {
    CAPTURE(page);
    const std::string text = test::read_text(test::examples / "guide" / (std::string(page) + ".md"));
    CHECK(std::count(text.begin(), text.end(), '\n') >= 10);
    CHECK_THAT(test::read_text(test::examples / "guide/README.md"),
               Catch::Matchers::ContainsSubstring("(" + std::string(page) + ".md)"));
  }
}
