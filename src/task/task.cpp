#include "task/task.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.hpp"
#include "task/data_file.hpp"
#include "task/parts.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_name = 100;  // names become names of files and folders, too

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_inner(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; }

fs::path cache_file(const TaskValue& value) {
  fs::path file = value.path();
  const fs::path folder = file.parent_path().empty() ? "." : file.parent_path();
  if (!fs::is_directory(folder))
    value.fail(fmt::format("there is no folder {} for the cache; make it, or name another one", folder.string()));
  if (fs::is_directory(file))
    value.fail(fmt::format("{} is a folder; write a file in it, such as \"replies.db\"", file.string()));
  return file;
}

fs::path prompts_folder(const TaskValue& value) {
  fs::path folder = value.path();
  if (!fs::is_directory(folder))
    value.fail(fmt::format("there is no folder {} (paths start at the task file's folder)", folder.string()));
  return folder;
}

void describe_path(Members& in, const std::string& key, std::optional<fs::path>& path, fs::path (*read)(const TaskValue&)) {
  in.member(
      key, [&](const TaskValue& at) { path = read(at); }, [&] { return path ? written_path(*path) : OrderedJson(); });
}

void describe_task(Members& in, Task& task) {
  in.member(
      "$schema", [](const TaskValue& at) { at.text(); }, [] { return OrderedJson(); });
  in.text("name", task.name);
  in.object("data", task.data, describe_data, R"({"file": "data.jsonl", …})");
  in.member(
      "parameters", [&](const TaskValue& at) { task.parameters = read_parameters(at); },
      [&] { return written_parameters(task.parameters); }, R"({"instructions": {"role": "…", "value": "…"}})");
  describe_stages(in, task);
  in.member(
      "evaluator", [&](const TaskValue& at) { task.evaluator = read_evaluator(at); },
      [&] { return written_object(task.evaluator, describe_evaluator); }, R"({"type": "exact_match"})");
  in.member(
      "report_metrics", [&](const TaskValue& at) { task.report_metrics = read_set_metrics(at); },
      [&] { return written_set_metrics(task.report_metrics); });
  in.member(
      "models", [&](const TaskValue& at) { task.models = read_models(at); }, [&] { return written_models(task.models); });
  in.object("optimizer", task.optimizer, describe_optimizer);
  in.object("training", task.training, describe_training);
  in.object("budget", task.budget, describe_budget);
  describe_path(in, "cache", task.cache, cache_file);
  describe_path(in, "prompts", task.prompts, prompts_folder);
  in.word("on_error", task.on_error, policies());
}

Task defaults(const TaskValue& root, const fs::path& file) {
  return {.file = file,
          .name = as_identifier(file.stem().string(), "task"),
          .data = {.place = root.find("data").value_or(root)},
          .parameters = {},
          .stages = {},
          .evaluator = {},
          .report_metrics = {},
          .models = {{"student", {.place = "no models in the task"}}},
          .optimizer = {},
          .training = {},
          .budget = {},
          .cache = {},
          .prompts = {},
          .json = root.json()};
}

}  // namespace

void expect_identifier(const TaskValue& place, const std::string& name) {
  if (!name.empty() && name == as_identifier(name, "")) return;
  place.fail(fmt::format("\"{}\" cannot be a name; use at most {} letters, digits, _ and -, and a letter first",
                         detail::excerpt(name, 60), longest_name));
}

std::string as_identifier(const std::string& text, const std::string& fallback) {
  std::string name;
  for (const char c : text) {
    if (is_inner(c)) {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  while (!name.empty() && name.back() == '_' && text.back() != '_') name.pop_back();
  name.erase(name.begin(), std::find_if(name.begin(), name.end(), is_letter));
  name.resize(std::min(name.size(), longest_name));
  return name.empty() ? fallback : name;
}

Task parse_task(const TaskDocument& document, const fs::path& file) {
  const TaskValue root = document.root();
  Task task = defaults(root, file);
  read_object(root, task, describe_task);
  if (const auto name = root.find("name")) expect_identifier(*name, task.name);
  check_evaluator(root.at("evaluator", ""), task);
  check_data(task.data);
  check_stages(root, task);
  check_models(root, task);
  check_names(root, task);
  return task;
}

namespace {

/// What is no task at all is said as what it is.
void expect_task_file(const fs::path& file) {
  std::error_code unknown;
  if (fs::is_directory(file, unknown)) {
    const bool is_run = fs::is_regular_file(file / "task.json", unknown);
    throw TaskError(fmt::format("{} is a folder, not a task file{}", file.string(),
                                is_run ? fmt::format("; did you mean {}?", (file / "task.json").string()) : ""));
  }
  try {
    if (data_format(file) == DataFormat::json || !fs::exists(file, unknown)) return;
  } catch (const ValueError&) {
    return;  // no ending of data
  }
  throw TaskError(fmt::format("{0} holds data, not a task: `tgd init {0}` makes a task of it", file.string()));
}

}  // namespace

Task read_task(const fs::path& file) {
  expect_task_file(file);
  return parse_task(TaskDocument::read(file), file);
}

OrderedJson resolved_json(const Task& task) { return written_object(task, describe_task); }

OrderedJson resolved_json(const Task& task, const fs::path& folder) {
  const WrittenPaths paths(folder);
  return resolved_json(task);
}

}  // namespace tgd::cli
