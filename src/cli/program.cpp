#include "cli/program.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/version.hpp>

#include "cli/command.hpp"
#include "cli/standard_streams.hpp"
#include "core/visible.hpp"
#include "run/interrupt.hpp"
#include "task/document.hpp"

namespace tgd::cli {

namespace {

constexpr const char* footer = R"(`tgd COMMAND --help` says more, with examples.

Exit status: 0 all went well, 1 a run failed (what was good so far is kept), 2 a mistake in the command line or the task file
(nothing was sent), 130 interrupted with Ctrl-C (everything is saved).)";

void print_error(const std::string& text) {
  const std::string shown = tgd::detail::visible(text);
  std::fwrite(shown.data(), 1, shown.size(), stderr);  // there is nobody to tell that it failed
}

Status complain(const std::string& message, Status status) {
  print_error(fmt::format("tgd: {}\n", message));
  return status;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options({})) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* subcommand : command.get_subcommands(std::function<bool(const CLI::App*)>()))
    names.push_back(subcommand->get_name());
  return names;
}

/// "There is no --sed; did you mean "--seed"?" for the first word that is not known; empty where nothing is near.
std::string suggestion_for(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = did_you_mean(word, known);
  return near.empty() ? near : "There is no " + word + near;
}

std::string suggest(const CLI::App& app, int argc, const char* const* argv) {
  const CLI::App* command = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = std::string(argv[i]).substr(0, std::string_view(argv[i]).find('='));
    const bool is_option = word.starts_with("--");
    const std::vector<std::string> known = is_option ? option_names(*command) : subcommand_names(*command);
    if (known.empty()) continue;  // an argument
    if (std::find(known.begin(), known.end(), word) == known.end()) return suggestion_for(word, known);
    if (!is_option) command = command->get_subcommand(word);
  }
  return {};
}

Status carry_out(const Action& action) {
  try {
    return action();
  } catch (const TaskError& error) {
    return complain(error.what(), Status::mistake);
  } catch (const std::exception& error) {
    // What an interrupted command says is how it noticed.
    return complain(error.what(), Interrupt::has_come() ? Status::interrupted : Status::failed);
  }
}

/// Where nobody can have read the output, not all went well.
Status with_output_written(Status status) {
  try {
    expect_output_written();
    return status;
  } catch (const ValueError& error) {
    return complain(error.what(), status == Status::ok ? Status::failed : status);
  }
}

Status parse(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return Status::ok;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int status = app.exit(error, out, err);
    write_output(out.str());
    print_error(err.str());
    if (status == 0) return Status::ok;
    if (const std::string suggestion = suggest(app, argc, argv); !suggestion.empty()) print_error(suggestion + "\n");
    return Status::mistake;
  }
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  CLI::App app("tgd: textual gradient descent. Improves the prompts of programs that call language models.", "tgd");
  app.set_version_flag("--version", "tgd " + std::string(version()));
  app.require_subcommand(1);
  app.footer(footer);
  Action action;
  add_init(app, action);
  add_check(app, action);
  add_optimize(app, action);
  add_evaluate(app, action);
  add_predict(app, action);
  add_runs(app, action);
  add_compare(app, action);
  add_report(app, action);
  add_export(app, action);
  add_replay(app, action);
  add_cache(app, action);
  add_prompts(app, action);
  add_schema(app, action);
  add_completion(app, action);
  Status status = parse(app, argc, argv);
  if (status == Status::ok && action) status = carry_out(action);  // none: help was asked for
  return static_cast<int>(with_output_written(status));
}

}  // namespace tgd::cli
