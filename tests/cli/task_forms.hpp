// Tasks that together have every setting that a task file can have (task_forms.json), and the files that they name.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include "cli/tickets.hpp"
#include "support/table.hpp"
#include "task/task.hpp"

namespace tgd::test {

/// The task of this name.
inline nlohmann::ordered_json task_form(const std::string& name) {
  for (const nlohmann::json& form : table("cli/task_forms.json")) {
    if (form["name"] == name) return form["task"];
  }
  throw std::runtime_error("task_forms.json has no task \"" + name + "\"");
}

/// A folder with what the tasks name; parses tasks as if they lay in it.
class TaskFolder {
 public:
  TaskFolder() : task_(write_small_task(folder_)) {
    const std::string tickets = read_text(folder_.path() / "tickets.jsonl");
    for (const char* part : {"train", "validation", "test"}) folder_.write(std::string(part) + ".jsonl", tickets);
    folder_.write("question.txt", "What is this about: {ticket}\n");
    folder_.write("my-prompts/tgd_system.md", "You improve texts.");
    setenv("TGD_TEST_URL", "http://localhost:9", 1);
    setenv("TGD_TEST_SECRET", "a very secret word", 1);
    unsetenv("TGD_TEST_UNSET");
  }

  const TemporaryFolder& folder() const { return folder_; }
  const std::filesystem::path& task() const { return task_; }
  template <class Json>
  cli::Task parse(const Json& task) const {
    return cli::parse_task(cli::TaskDocument(task_, task.dump(2)), task_);
  }

 private:
  TemporaryFolder folder_;
  std::filesystem::path task_;
};

}  // namespace tgd::test
