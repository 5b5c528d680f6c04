// A command of a task: its metric, one of its stages, or its whole program.
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "task/parts.hpp"

namespace tgd::cli {

namespace {

void read_run(const TaskValue& value, std::vector<std::string>& run) {
  run.clear();
  for (const TaskValue& item : value.items()) run.push_back(run.empty() ? item.nonempty_text() : item.text());
  if (run.empty()) value.fail("there is no program in it; write for example [\"python3\", \"metric.py\"]");
}

std::filesystem::path folder_of_command(const TaskValue& value) {
  std::filesystem::path folder = value.path();
  if (!std::filesystem::is_directory(folder))
    value.fail(fmt::format("there is no folder {} (paths start at the task file's folder)", folder.string()));
  return folder;
}

}  // namespace

void describe_command(Members& in, CommandSpec& command) {
  in.member(
      "run", [&](const TaskValue& at) { read_run(at, command.run); }, [&] { return OrderedJson(command.run); },
      R"(["python3", "metric.py"])");
  in.member(
      "folder", [&](const TaskValue& at) { command.folder = folder_of_command(at); },
      [&] { return written_path(command.folder); });
  in.count("workers", command.workers, {.least = 1, .most = 256});
  in.seconds("timeout_seconds", command.timeout_seconds);
  in.count("max_in_flight", command.max_in_flight, {.least = 1, .most = 100'000});
  in.flag("deterministic", command.is_deterministic);
  describe_settings(in, "env", command.env, false);
}

void complete_command(const TaskValue& value, CommandSpec& command) {
  if (command.folder.empty()) command.folder = value.folder();
}

CommandOptions CommandSpec::options(std::filesystem::path error_file) const {
  CommandOptions options{.run = run, .folder = folder, .workers = workers};
  options.timeout_seconds = timeout_seconds.value_or(usual_timeout);
  options.max_in_flight = max_in_flight.value_or(usual_in_flight);
  options.is_deterministic = is_deterministic;
  options.error_file = std::move(error_file);
  for (const NamedSetting& variable : env) options.env.emplace_back(variable.name, variable.value);
  return options;
}

}  // namespace tgd::cli
