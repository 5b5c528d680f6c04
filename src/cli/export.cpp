// `tgd export`: a run's prompt for other programs; `tgd prompts`: tgd's own.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/prompts.hpp>

#include "cli/argument_checks.hpp"
#include "cli/command.hpp"
#include "cli/standard_streams.hpp"
#include "core/counted.hpp"
#include "core/file.hpp"
#include "run/exported.hpp"
#include "run/folder.hpp"
#include "run/prompt_spec.hpp"
#include "task/data.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* export_examples = R"(Examples:
  tgd export runs/mails-20261121-195647 > prompt.txt
      the prompt as text; of a task with several, each under its name
  tgd export runs/mails-20261121-195647 --as openai
      the messages as the API takes them, with {mail} in place of the input
  tgd export runs/mails-20261121-195647 --as python -o mails.py && python3 mails.py "Where is my parcel?"
      a program that posts the bytes that tgd posts
  tgd export runs/mails-20261121-195647 --as promptfoo -o promptfooconfig.json && npx promptfoo eval
      the test part as promptfoo's tests

What was edited in the run's <parameter>.txt is what is exported.)";

constexpr const char* prompts_examples = R"(Examples:
  tgd prompts
      the names of the texts that tgd sends to language models
  tgd prompts tgd_system
      one of them
  tgd prompts --export my-prompts && $EDITOR my-prompts/tgd_system.md
  tgd optimize task.json --prompts my-prompts
      with a text of your own; files that stay as they are can be deleted

A text keeps the {placeholders} of the one that it replaces, in any order.)";

struct ExportFlags {
  std::string run = {};
  std::string format = "text";
  std::string stage = {};
  ModelFlags model = {};
  std::string file = "-";
  OutputFlags output = {};
};

std::string exported(const ExportFlags& flags, Task task, Terminal& terminal) {
  const NamedPrompt prompt = read_prompt(flags.run, task);
  for (const std::string& file : prompt.edited)
    terminal.warn(fmt::format("note: {} was edited since the run; the text in it is exported", file));
  if (flags.format == "text") return prompt_text(prompt.values);
  apply(flags.model, task);
  const ExportedRequest request = exported_request(task, prompt.values, flags.stage);
  if (flags.format == "openai") return openai_messages(request);
  if (flags.format == "python") return python_program(request);
  if (flags.format == "cpp") return cpp_program(request);
  std::vector<std::string> notes;
  std::string text = promptfoo_tests(request, task, load_data(task.data).test, notes);
  for (const std::string& note : notes) terminal.warn("note: " + note);
  return text;
}

Status export_prompt(const ExportFlags& flags) {
  Terminal terminal(flags.output);
  const fs::path file = fs::path(flags.run) / "task.json";
  std::error_code unknown;
  if (!fs::is_regular_file(file, unknown))
    throw TaskError(flags.run + " holds no run (it has no task.json); name a folder that `tgd runs` lists");
  const std::string text = exported(flags, read_task(file), terminal);
  if (flags.file == "-" && flags.output.json) {
    terminal.document({{"format", flags.format}, {"text", text}});
    return Status::ok;
  }
  if (write_named_output("-o", flags.file, text)) return Status::ok;
  terminal.line(fmt::format("Exported: {}", flags.file));
  terminal.document({{"format", flags.format}, {"file", flags.file}});
  return Status::ok;
}

struct PromptsFlags {
  std::string name = {};
  std::optional<std::string> folder = {};
  bool force = false;
  OutputFlags output = {};
};

OrderedJson write_prompts(const PromptsFlags& flags) {
  const Prompts prompts;
  const fs::path folder = *flags.folder;
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder, error)) throw TaskError("--export: cannot make the folder " + folder.string());
  std::vector<std::string> there;
  for (const std::string_view name : Prompts::names()) {
    const fs::path file = folder / (std::string(name) + ".md");
    const std::string text = std::string(prompts.get(name)) + "\n";
    if (!flags.force && fs::exists(file, error) && tgd::detail::read_file(file) != text)
      there.push_back(file.filename().string());
  }
  if (!there.empty())
    throw TaskError(fmt::format("--export: {} holds other texts ({}{}); name another folder, or replace them with --force",
                                folder.string(), there.front(),
                                there.size() > 1 ? fmt::format(" and {} more", there.size() - 1) : ""));
  OrderedJson files = OrderedJson::array();
  for (const std::string_view name : Prompts::names()) {
    const fs::path file = folder / (std::string(name) + ".md");
    tgd::detail::write_file(file, std::string(prompts.get(name)) + "\n");
    files.push_back(file.string());
  }
  return files;
}

Status show_prompts(const PromptsFlags& flags) {
  Terminal terminal(flags.output);
  if (flags.folder) {
    if (!flags.name.empty())
      throw TaskError("prompts takes either a name, to show one text, or --export, to write all of them");
    const OrderedJson files = write_prompts(flags);
    terminal.line(fmt::format("{} in {}: change what you like, and use them with --prompts {}",
                              tgd::detail::counted(files.size(), "text"), *flags.folder, *flags.folder));
    terminal.document({{"files", files}});
    return Status::ok;
  }
  const Prompts prompts;
  OrderedJson texts = OrderedJson::object();
  std::vector<std::string> names;
  for (const std::string_view name : Prompts::names()) names.emplace_back(name);
  if (!flags.name.empty() && std::find(names.begin(), names.end(), flags.name) == names.end())
    throw TaskError(
        fmt::format("there is no prompt \"{}\"{}; `tgd prompts` lists them", flags.name, did_you_mean(flags.name, names)));
  for (const std::string& name : names) {
    if (flags.name.empty()) terminal.line(name);
    if (flags.name.empty() || flags.name == name) texts[name] = prompts.get(name);
  }
  if (!flags.name.empty() && !flags.output.json) write_output(std::string(prompts.get(flags.name)) + "\n");
  terminal.document(texts);
  return Status::ok;
}

}  // namespace

void add_export(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("export", "Write a run's prompt for other programs: text, messages, tests, code");
  const auto flags = std::make_shared<ExportFlags>();
  command->add_option("run", flags->run, "The run folder")->required()->option_text("RUN");
  command->add_option("--as", flags->format, "text, openai, promptfoo, python or cpp; text unless given")
      ->check(one_of({"text", "openai", "promptfoo", "python", "cpp"}))
      ->option_text("FORMAT");
  command->add_option("--stage", flags->stage, "Of a task with several calls for each sample: which one")->option_text("NAME");
  command->add_option("--model", flags->model.model, "Another model than the run's")->option_text("NAME");
  command->add_option("--base-url", flags->model.base_url, "Another endpoint than the run's")->option_text("URL");
  command->add_option("-o,--output", flags->file, "File to write; else standard output")->option_text("FILE");
  add_output_flags(*command, flags->output);
  command->footer(export_examples);
  command->callback([flags, &action] { action = [flags] { return export_prompt(*flags); }; });
}

void add_prompts(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("prompts", "Show tgd's own texts to language models, or write them for changing");
  const auto flags = std::make_shared<PromptsFlags>();
  command->add_option("name", flags->name, "The text to show; else their names")->option_text("NAME");
  command->add_option("--export", flags->folder, "Write all of them into this folder")->option_text("FOLDER");
  command->add_flag("--force", flags->force, "Replace files there that hold other texts");
  add_output_flags(*command, flags->output);
  command->footer(prompts_examples);
  command->callback([flags, &action] { action = [flags] { return show_prompts(*flags); }; });
}

}  // namespace tgd::cli
