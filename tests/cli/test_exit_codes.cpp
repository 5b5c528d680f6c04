// How the program ends, and what it says then: to people, and to programs.
#include <filesystem>
#include <fstream>
#include <new>
#include <regex>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "cli/wording.hpp"
#include "support/golden.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::json;

namespace {

/// A finished run on a small task, in a folder of runs.
const fs::path& runs_folder() {
  static const test::TemporaryFolder folder;
  static const fs::path runs = [] {
    const fs::path task = test::write_small_task(folder, 30);
    const test::ProcessResult result = test::optimize(task, folder.path() / "runs/first", {"--record", "--epochs", "1"});
    if (result.status != 0) throw std::runtime_error(result.err);
    return folder.path() / "runs";
  }();
  return runs;
}

class Places {
 public:
  std::string filled(std::string text) const {
    const fs::path runs = runs_folder();
    const std::vector<std::pair<std::string, fs::path>> places{{"{task}", runs.parent_path() / "task.json"},
                                                               {"{data}", runs.parent_path() / "tickets.jsonl"},
                                                               {"{runs}", runs},
                                                               {"{run}", runs / "first"},
                                                               {"{folder}", folder_.path()}};
    for (const auto& [name, place] : places) {
      for (std::size_t at = text.find(name); at != text.npos; at = text.find(name))
        text.replace(at, name.size(), place.string());
    }
    return text;
  }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("the program ends with the status that the README lists, and says why", "[cli]") {
  for (const Value& entry : Value::parse(test::read_text(fs::path(TGD_TEST_SOURCE_DIR) / "cli/exit_codes.json"))) {
    const Places places;
    std::vector<std::string> arguments;
    for (const Value& argument : entry["arguments"]) arguments.push_back(places.filled(argument));
    const int status = entry["status"];
    const std::string error = places.filled(entry.value("error", ""));
    const test::ProcessResult result = test::run_tgd(arguments);
    INFO(entry["name"] << "\n" << result.out << result.err);
    CHECK(result.status == status);
    CHECK_THAT(result.err, ContainsSubstring(error));
    if (status != 0) CHECK(result.err.starts_with("tgd: ") + (result.err.find("\ntgd: ") != std::string::npos) > 0);
    if (entry.contains("is_help") || entry.contains("is_alone") || arguments.empty()) continue;

    // Programs get a document, whatever came of it, and nothing else on standard output.
    const Places anew;
    arguments.clear();
    for (const Value& argument : entry["arguments"]) arguments.push_back(anew.filled(argument));
    arguments.emplace_back("--json");
    const test::ProcessResult with_json = test::run_tgd(arguments);
    INFO(with_json.out << with_json.err);
    CHECK(with_json.status == status);
    const Value document = Value::parse(with_json.out, nullptr, false);
    CHECK_FALSE(document.is_discarded());
    if (status != 0 && document.is_object() && document.contains("exit_status")) {
      CHECK(document["exit_status"] == status);
      CHECK(document["status"] == (status == 2 ? "mistake" : "failed"));
      CHECK_THAT(document["error"].get<std::string>(), ContainsSubstring(anew.filled(entry.value("error", ""))));
    }
  }
}

TEST_CASE("no message of the library's shows its names to whoever writes no C++", "[cli]") {
  // Every name with "::" that stands in a text of the library's sources.
  const std::regex literal(R"re("(?:[^"\\]|\\.)*")re");
  const std::regex name(R"re([A-Z][A-Za-z]+::[A-Za-z_]+)re");
  std::set<std::string> texts;
  for (const char* floor : {"core", "net", "autograd", "lm", "cognitive", "optim", "data", "train"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(TGD_TEST_SOURCE_DIR) / "../src" / floor)) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        if (line.find("//") < line.find('"')) continue;
        for (std::sregex_iterator at(line.begin(), line.end(), literal), end; at != end; ++at) {
          if (std::regex_search(at->str(), name)) texts.insert(at->str().substr(1, at->str().size() - 2));
        }
      }
    }
  }
  CHECK(texts.size() > 20);
  for (const std::string& text : texts) {
    INFO(text << "\n" << cli::in_program_words(text));
    CHECK_FALSE(std::regex_search(cli::in_program_words(text), name));
  }
  CHECK(cli::in_program_words("TGDOptions::momentum is 3") == "\"momentum\" is 3");
  CHECK(cli::in_program_words("the label \"std::vector\" and Foo::bar") == "the label \"std::vector\" and Foo::bar");
}

TEST_CASE("an exception of the standard library's is told in words", "[cli]") {
  CHECK(cli::message_of(std::bad_alloc()) == "there is not enough memory");
  const std::error_code none = std::make_error_code(std::errc::no_such_file_or_directory);
  CHECK(cli::message_of(fs::filesystem_error("cannot open", "a.json", none)) == "a.json: No such file or directory");
  CHECK(cli::message_of(std::system_error(none, "x")) == "No such file or directory");
  CHECK(cli::message_of(ValueError("plain words")) == "plain words");
}

TEST_CASE("a page can be written to standard output, and nothing else stands there", "[cli]") {
  const std::string run = (runs_folder() / "first").string();
  const std::vector<std::string> arguments =
      GENERATE_COPY(values<std::vector<std::string>>({{"report", run, "-o", "-"}, {"compare", run, run, "-o", "-"}}));
  const test::ProcessResult result = test::run_tgd(arguments);
  CHECK(result.status == 0);
  CHECK(result.out.starts_with("<!doctype html>"));
  CHECK(result.out.ends_with("</html>\n"));
}
