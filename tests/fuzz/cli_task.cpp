// A task file may hold any bytes: it is a task or a TaskError with the file's name, and what a task is resolved to is one, too.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "task/task.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tgd::cli;
  const std::string text(data, data + size);
  try {
    const Task task = parse_task(TaskDocument("task.json", text), "task.json");
    parse_task(TaskDocument("task.json", resolved_json(task).dump()), "task.json");
  } catch (const TaskError& error) {
    if (std::string(error.what()).find("task.json:") == std::string::npos) std::abort();
  }
  return 0;
}
