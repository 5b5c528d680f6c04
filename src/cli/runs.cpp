// `tgd runs`: what runs there are, and what they came to.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "cli/table.hpp"
#include "core/one_line.hpp"
#include "report/run_list.hpp"
#include "run/summary.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* runs_examples = R"(Examples:
  tgd runs
      the runs in the folder runs/, the latest last
  tgd runs --json | jq -r 'max_by(.best).folder'
      the folder of the one with the best score

The scores are those of the test part, with the task's own prompt and with the best one found; of the validation part where a run
has not come to measure the other. `tgd compare` says what makes the difference between runs.)";

struct RunsFlags {
  std::string folder = "runs";
  OutputFlags output = {};
};

std::string score_of(const RunLine& run, const std::optional<double>& score) {
  return score ? score_text(EvaluatorSpec{.best_score = run.best_score}, *score) : "–";
}

std::string end_of(const RunLine& run) {
  if (run.status == "ok") return run.ending.empty() ? "finished" : run.ending;
  return run.ending.empty() ? run.status : run.status + ": " + run.ending;
}

void print_runs(Terminal& terminal, const std::vector<RunLine>& runs) {
  const std::vector<TableColumn> columns{{.name = "folder", .least = 16},      {.name = "started (UTC)"},
                                         {.name = "task", .least = 8},         {.name = "model", .least = 10},
                                         {.name = "first", .is_number = true}, {.name = "best", .is_number = true},
                                         {.name = "part", .least = 4},         {.name = "cost", .is_number = true},
                                         {.name = "ended", .least = 8}};
  std::vector<std::vector<std::string>> rows;
  for (const RunLine& run : runs) {
    rows.push_back({tgd::detail::one_line(run.folder.string()), run.started, tgd::detail::one_line(run.task),
                    tgd::detail::one_line(run.models), score_of(run, run.first), score_of(run, run.best), run.part,
                    run.cost ? lm::Cost::from_usd(*run.cost).text() : "unknown", tgd::detail::one_line(end_of(run))});
  }
  for (const std::string& line : table_lines(columns, rows, terminal.width())) terminal.line(line);
}

Status runs(const RunsFlags& flags) {
  Terminal terminal(flags.output);
  std::error_code unknown;
  if (!fs::is_directory(flags.folder, unknown))
    throw TaskError(flags.folder == "runs"
                        ? "there is no folder runs here: `tgd optimize` makes it with its first run; another one can be named"
                    : fs::exists(flags.folder, unknown) ? flags.folder + " is a file; name the folder that the runs are in"
                                                        : "there is no folder " + flags.folder);
  const std::vector<RunLine> lines = list_runs(flags.folder);
  OrderedJson document = OrderedJson::array();
  for (const RunLine& line : lines) document.push_back(run_line_json(line));
  terminal.document(document);
  if (lines.empty()) {
    terminal.line(fmt::format("There is no run in {}.", flags.folder));
  } else {
    print_runs(terminal, lines);
  }
  return Status::ok;
}

}  // namespace

void add_runs(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("runs", "List runs: when, with what, what they came to, and what they cost");
  const auto flags = std::make_shared<RunsFlags>();
  command->add_option("folder", flags->folder, "The folder that holds the runs' folders; runs unless given")
      ->option_text("FOLDER");
  add_output_flags(*command, flags->output);
  command->footer(runs_examples);
  command->callback([flags, &action] { action = [flags] { return runs(*flags); }; });
}

}  // namespace tgd::cli
