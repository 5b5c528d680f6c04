// The files of a run folder after something has damaged them: a report is made of what is sound and says what is not, and what
// goes on from a run names the file and the line.
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli/report_run.hpp"
#include "cli/task_forms.hpp"
#include "report/data.hpp"
#include "report/run_record.hpp"
#include "run/folder.hpp"
#include "support/damage.hpp"
#include "support/temporary_folder.hpp"

using namespace tgd;
using namespace tgd::cli;

namespace {

using Files = std::map<std::string, std::string>;

std::vector<test::Damage> damages_of(const std::string& name, const std::string& content) {
  std::vector<test::Damage> damages = name.ends_with(".jsonl") ? test::damaged_lines(content) : test::damaged_values(content);
  for (test::Damage& damage : test::damaged_bytes(content, 20)) damages.push_back(std::move(damage));
  return damages;
}

}  // namespace

TEST_CASE("a report is made of any damaged run, and names file and line of what could not be read", "[cli][report][damage]") {
  const test::TemporaryFolder folder;
  const Files good = test::hand_made_run();
  const std::filesystem::path run = test::write_run(folder, good);
  // All files at once, each in turn in each of its ways, for what takes time is to read a run and to report it.
  std::map<std::string, std::vector<test::Damage>> damages;
  std::size_t most = 0;
  for (const auto& [name, content] : good) {
    damages[name] = damages_of(name, content);
    most = std::max(most, damages[name].size());
  }
  std::map<std::string, std::size_t> noted;
  for (std::size_t i = 0; i < most; ++i) {
    std::string what;
    for (const auto& [name, of_file] : damages) {
      const test::Damage& damage = of_file[i % of_file.size()];
      folder.write("run/" + name, damage.content);
      what += name + " " + damage.what + "; ";
    }
    const RunRecord record = read_run(run);
    for (const std::string& note : record.notes) {
      const auto file = std::find_if(good.begin(), good.end(), [&](const auto& each) { return note.starts_with(each.first); });
      if (file == good.end()) {
        FAIL_CHECK(what << "the note does not name the file: " << note);
        continue;
      }
      const std::string& name = file->first;
      ++noted[name];
      if (name.ends_with(".jsonl") && note.find(name + ":", name.size()) == std::string::npos)
        FAIL_CHECK(what << "the note does not name the line: " << note);
    }
    if (report_data(record).empty()) FAIL_CHECK(what << "no report");
  }
  for (const auto& [name, content] : good) {
    INFO(name);
    CHECK(noted[name] > 0);
  }
}

TEST_CASE("a damaged task file is refused by its name", "[cli][damage]") {
  const test::TaskFolder folder;
  const std::string good = test::shipped_task().dump(2);
  const auto read = [&](const std::string& text) { parse_task(TaskDocument(folder.task(), text), folder.task()); };
  test::check_damages(test::damaged_bytes(good, 100), "task.json:", read);
  test::check_damages(test::damaged_values(good), "task.json:", read);
}
