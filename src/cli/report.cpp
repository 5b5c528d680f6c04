#include "cli/report.hpp"

#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "core/file.hpp"
#include "report/page.hpp"
#include "train/journal.hpp"
#include "train/run_lock.hpp"

namespace tgd::cli {

namespace {

constexpr const char* report_examples = R"(Examples:
  tgd report runs/tickets-20261121-195647
      writes report.html into that folder
  tgd report runs/tickets-20261121-195647 -o tickets.html
      writes it elsewhere, to be sent to somebody; -o - writes it to standard output

The page is one file that needs no network: scores over steps, calls and cost, the prompt's versions and their differences, the
samples that each version fixed and broke, the confusion table, slow, costly and failed calls. Runs that failed, were interrupted
or are still going on have one, too.)";

std::filesystem::path report_file(const std::filesystem::path& run_folder) { return run_folder / "report.html"; }

struct ReportFlags {
  std::string run;
  std::optional<std::string> file;
  OutputFlags output;
};

/// The files that the journal tells, as far as nobody is at work there or has changed them.
void make_views(const std::filesystem::path& folder, Terminal& terminal) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "journal.jsonl", ignored)) return;
  try {
    const tgd::detail::RunLock lock(folder);
    tgd::detail::Journal::make_views(folder, [&terminal](const std::string& text) { terminal.note(text); });
  } catch (const StateError&) {
    return;  // a run that goes on makes them itself
  } catch (const std::exception& error) {
    terminal.note(std::string("The files of the run are shown as they are: ") + error.what());
  }
}

Status report(const ReportFlags& flags) {
  Terminal terminal(flags.output);
  make_views(flags.run, terminal);
  if (!flags.file) {
    write_report(flags.run);
  } else if (write_named_output("-o", *flags.file, report_html(read_run(flags.run)))) {
    return Status::ok;
  }
  const std::filesystem::path file = flags.file ? std::filesystem::path(*flags.file) : report_file(flags.run);
  terminal.line("Report: " + file.string());
  terminal.document({{"report", file.string()}, {"bytes", std::filesystem::file_size(file)}});
  return Status::ok;
}

}  // namespace

void write_report(const std::filesystem::path& run_folder) {
  tgd::detail::write_file(report_file(run_folder), report_html(read_run(run_folder)), tgd::detail::Access::owner);
}

void add_report(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("report", "Write a page about a run: one HTML file that needs no network");
  const auto flags = std::make_shared<ReportFlags>();
  command->add_option("run", flags->run, "The run folder")->required()->option_text("RUN");
  command->add_option("-o,--output", flags->file, "File to write, - for standard output; else report.html in the run folder")
      ->option_text("FILE");
  add_output_flags(*command, flags->output);
  command->footer(report_examples);
  command->callback([flags, &action] { action = [flags] { return report(*flags); }; });
}

}  // namespace tgd::cli
