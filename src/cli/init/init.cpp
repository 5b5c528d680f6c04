// tgd init: from a data file to a task that runs.
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "cli/init/guess.hpp"
#include "core/counted.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "task/data.hpp"
#include "task/models.hpp"
#include "task/parts.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* init_examples = R"(Examples:
  tgd init tickets.csv
      writes task.json: guesses which column is the expected answer and which are to be read, and says why
  tgd init data/qa.jsonl -o qa/task.json --target answer --input question --input context
      with a target and inputs of your own; a field inside others is named by a JSON pointer: --input /fields/text

Then `tgd check task.json` and `tgd optimize task.json`. The task runs as it is, with a simulated language model; its comments
show how to name a real one.)";

struct InitFlags {
  std::string data;
  std::string task = "task.json";
  InitWishes wishes = {};
  bool force = false;
  OutputFlags output = {};
};

void expect_free(const fs::path& task, bool force) {
  if (fs::is_directory(task)) throw TaskError(fmt::format("{} is a folder; name a file with -o", task.string()));
  const fs::path folder = task.parent_path();
  if (!folder.empty() && !fs::is_directory(folder))
    throw TaskError(fmt::format("there is no folder {}; make it first", folder.string()));
  const tgd::detail::Output output = named_output("-o", task);
  if (!force && output.is_there && !output.is_stream)
    throw TaskError(fmt::format(
        "{} is there already, and is left as it is; name another file with -o, or overwrite it with --force", task.string()));
}

std::string shown_values(const Column& column) {
  if (!column.has_labels()) return {};
  return ": " + tgd::detail::excerpt(tgd::detail::join(column.labels, ", "), 100);
}

void print_guess(Terminal& terminal, const InitGuess& guess, const TaskData& data) {
  terminal.note(fmt::format("{}: {}", guess.file.string(), tgd::detail::counted(guess.samples, "sample")));
  terminal.note(
      fmt::format("  answer     \"{}\", because {}{}", guess.target.source, guess.why_target, shown_values(guess.target)));
  for (const auto& [name, column] : guess.inputs)
    terminal.note(
        fmt::format("  input      \"{}\" as {{{}}}, {} characters on average", column.source, name, column.mean_length));
  terminal.note(fmt::format("  evaluator  {}, because {}", name_of(guess.evaluator), guess.why_evaluator));
  for (const auto& [source, reason] : guess.left_out) terminal.note(fmt::format("  left out   \"{}\": {}", source, reason));
  for (const std::string& note : guess.notes) terminal.note("  note       " + note);
  for (const std::string& note : data.notes) terminal.note("  note       " + note);
  if (guess.samples < 30) terminal.note("  With fewer than 30 samples the scores say little; more would help.");
}

OrderedJson document(const InitGuess& guess, const TaskData& data, const fs::path& task) {
  OrderedJson json{{"task", task.string()}, {"samples", guess.samples}, {"target", guess.target.source}};
  for (const auto& [name, column] : guess.inputs) json["inputs"][name] = column.source;
  json["evaluator"] = name_of(guess.evaluator);
  json["left_out"] = OrderedJson::object();
  for (const auto& [source, reason] : guess.left_out) json["left_out"][source] = reason;
  json["notes"] = guess.notes;
  for (const std::string& note : data.notes) json["notes"].push_back(note);
  return json;
}

Status init(const InitFlags& flags) {
  const fs::path task = flags.task;
  if (!flags.wishes.base_url.empty() && flags.wishes.model.empty())
    throw TaskError("--base-url needs --model: the name that the endpoint knows the model by");
  expect_no_credentials(flags.wishes.base_url, "--base-url");
  expect_free(task, flags.force);
  try {
    if (fs::exists(flags.data)) tgd::detail::expect_regular_file(flags.data);  // it is read several times
  } catch (const ValueError& error) {
    throw TaskError(error.what());
  }
  Terminal terminal(flags.output);
  const InitGuess guess = guess_task(flags.data, flags.wishes, [&](std::size_t rows) {
    terminal.progress({"reading: " + tgd::detail::counted(rows, "sample")});
  });
  const std::string text = starter_task(guess, task);
  // What is handed over has to run: it is read as `tgd optimize` would read it.
  const TaskData data = load_data(parse_task(TaskDocument(task, text), task).data);
  tgd::detail::write_output(task, text);

  print_guess(terminal, guess, data);
  terminal.line(fmt::format("Wrote {}. Read it, correct what was guessed wrong, then:", task.string()));
  terminal.line(fmt::format("  tgd check {}      what is wrong, and what a run would cost", task.string()));
  terminal.line(fmt::format("  tgd optimize {}   improves the prompt{}", task.string(),
                            flags.wishes.model.empty() ? "; with a simulated model until the task names a real one" : ""));
  terminal.document(document(guess, data, task));
  return Status::ok;
}

}  // namespace

void add_init(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("init", "Write a commented starter task from a data file");
  const auto flags = std::make_shared<InitFlags>();
  command->add_option("data", flags->data, "The data: .csv, .tsv, .psv, .jsonl, .ndjson or .json")
      ->required()
      ->option_text("DATA");
  command->add_option("-o,--output", flags->task, "The task file to write; else task.json")->option_text("TASK");
  command->add_option("--target", flags->wishes.target, "The field with the expected answer")->option_text("COLUMN");
  command->add_option("--input", flags->wishes.inputs, "A field that the model reads; may be given several times")
      ->option_text("COLUMN")
      ->allow_extra_args(false);
  command->add_option("--model", flags->wishes.model, "The model that the task names; else a simulated one")
      ->option_text("NAME");
  command->add_option("--base-url", flags->wishes.base_url, "Its endpoint")->option_text("URL");
  command->add_option("--encoding", flags->wishes.encoding, "Of a file that is not UTF-8, such as WINDOWS-1252")
      ->option_text("NAME");
  command->add_flag("--force", flags->force, "Overwrite the task file");
  add_output_flags(*command, flags->output);
  command->footer(init_examples);
  command->callback([flags, &action] { action = [flags] { return init(*flags); }; });
}

}  // namespace tgd::cli
