#include "run/prompt_spec.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/fold.hpp"
#include "core/json_parser.hpp"
#include "core/text.hpp"
#include "core/text_file.hpp"
#include "task/models.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

NamedValues first_values(const Task& task) {
  NamedValues values;
  for (const ParameterSpec& parameter : task.parameters) values.emplace_back(parameter.name, parameter.value);
  return values;
}

std::vector<std::string> names_of(const Task& task) {
  std::vector<std::string> names;
  for (const ParameterSpec& parameter : task.parameters) names.push_back(parameter.name);
  return names;
}

[[noreturn]] void fail(const std::string& spec, const std::string& message) {
  throw TaskError(fmt::format("--prompt {}: {}", spec, message));
}

std::string text_of(const std::string& spec, const fs::path& file) {
  std::error_code fault;
  if (!fs::is_regular_file(file, fault)) fail(spec, fmt::format("there is no file {}", file.string()));
  try {
    return detail::read_text_file(file);
  } catch (const Error& error) {
    fail(spec, error.what());
  }
}

std::string prompt_in(const std::string& spec, const fs::path& file) {
  std::string text(detail::trim(text_of(spec, file)));
  if (text.empty()) fail(spec, file.string() + " is empty");
  return text;
}

/// A module's state: {"<name>": {"data": …}, …}.
NamedValues values_in_state(const std::string& spec, const OrderedJson& state, const Task& task) {
  const std::vector<std::string> names = names_of(task);
  for (const auto& [name, value] : state.items()) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      fail(spec, fmt::format("it holds \"{}\", which is no parameter of this task; there are {}{}", name, quoted_list(names),
                             did_you_mean(name, names)));
  }
  NamedValues values;
  for (const std::string& name : names) {
    const auto entry = state.find(name);
    if (entry == state.end()) fail(spec, fmt::format("it has no value for the parameter \"{}\"", name));
    if (!entry->is_object() || !entry->contains("data") || !entry->at("data").is_string())
      fail(spec, fmt::format("its \"{}\" is no parameter as a run leaves it: expected {{\"data\": \"<text>\", …}}", name));
    values.emplace_back(name, entry->at("data").get<std::string>());
  }
  return values;
}

NamedValues values_in_json(const std::string& spec, const fs::path& file, const Task& task) {
  const OrderedJson json = detail::parse_or_discard<OrderedJson>(text_of(spec, file));
  if (!json.is_object()) fail(spec, "it holds no JSON object; expected the parameters.json or checkpoint.json of a run");
  if (!json.contains("tgd_checkpoint")) return values_in_state(spec, json, task);
  if (!json.contains("state")) fail(spec, "the checkpoint has no \"state\"");
  return values_in_state(spec, json.at("state"), task);
}

/// A person may have edited what the run left: <parameter>.txt is for people.
void take_edited(NamedPrompt& prompt, const fs::path& folder) {
  for (auto& [name, value] : prompt.values) {
    const fs::path file = folder / (name + ".txt");
    std::error_code unknown;
    if (!fs::is_regular_file(file, unknown)) continue;
    std::string text = prompt_in(prompt.name, file);
    if (detail::plain_form(text) == detail::plain_form(detail::trim(value))) continue;
    value = std::move(text);
    prompt.edited.push_back(file.string());
  }
}

NamedValues values_in_run(const std::string& spec, const fs::path& folder, const Task& task) {
  const fs::path file = folder / "parameters.json";
  if (fs::exists(file)) return values_in_json(spec, file, task);
  fail(spec, fs::exists(folder / "task.json") ? "the run has no best values yet, since nothing was better than the first "
                                                "prompt; its checkpoint.json has the last ones"
                                              : "the folder holds no run: it has no parameters.json");
}

NamedValues with_value(NamedValues values, const std::string& spec, const std::string& name, std::string value) {
  const auto found = std::find_if(values.begin(), values.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == values.end()) {
    std::vector<std::string> names;
    for (const auto& entry : values) names.push_back(entry.first);
    fail(spec,
         fmt::format("there is no parameter \"{}\"; there are {}{}", name, quoted_list(names), did_you_mean(name, names)));
  }
  found->second = std::move(value);
  return values;
}

NamedValues values_of(const std::string& spec, const Task& task) {
  if (spec == "first") return first_values(task);
  if (fs::is_directory(spec)) return values_in_run(spec, spec, task);
  if (!fs::exists(spec)) {
    const std::size_t equals = spec.find('=');
    if (equals == spec.npos) fail(spec, fmt::format("there is no such file or folder; expected {}", prompt_spec_help));
    return with_value(first_values(task), spec, spec.substr(0, equals), prompt_in(spec, spec.substr(equals + 1)));
  }
  if (fs::path(spec).extension() == ".json") return values_in_json(spec, spec, task);
  if (task.parameters.size() > 1)
    fail(spec, fmt::format("the task has several parameters ({}); say which one this is: NAME={}", quoted_list(names_of(task)),
                           spec));
  return {{task.parameters.front().name, prompt_in(spec, spec)}};
}

}  // namespace

NamedPrompt read_prompt(const std::string& spec, const Task& task) {
  NamedPrompt prompt{spec, values_of(spec, task)};
  if (spec != "first" && fs::is_directory(spec)) take_edited(prompt, spec);
  return prompt;
}

namespace {

/// The run that a prompt is of: its folder, or that of a file that the run left.
std::optional<fs::path> folder_of_run(const std::string& spec) {
  std::error_code unknown;
  if (spec == "first") return std::nullopt;
  const bool is_folder = fs::is_directory(spec, unknown);
  if (!is_folder && !fs::is_regular_file(spec, unknown)) return std::nullopt;
  fs::path folder = is_folder ? fs::path(spec) : fs::path(spec).parent_path();
  // A task's own folder may hold texts, too.
  const bool is_run = fs::is_regular_file(folder / "task.json", unknown) &&
                      (is_folder || fs::is_regular_file(folder / "journal.jsonl", unknown));
  return is_run ? std::optional(std::move(folder)) : std::nullopt;
}

}  // namespace

std::string use_models_of_run(const std::vector<std::string>& specs, const ModelFlags& flags, Task& task) {
  if (flags.base_url || flags.model) return {};
  for (const std::string& spec : specs) {
    const auto folder = folder_of_run(spec);
    if (!folder) continue;
    const Task run = read_task(*folder / "task.json");
    const auto is_known = [&](const auto& model) { return run.models.count(model.first) > 0; };
    if (!std::all_of(task.models.begin(), task.models.end(), is_known)) continue;
    task.models = run.models;
    return fmt::format("the models are those of {}; --model and --base-url name others", spec);
  }
  return {};
}

}  // namespace tgd::cli
