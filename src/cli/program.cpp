#include "cli/program.hpp"

#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <tgd/version.hpp>

#include "cli/command.hpp"
#include "cli/task_document.hpp"

namespace tgd::cli {

namespace {

constexpr const char* footer = R"(`tgd COMMAND --help` says more, with examples.

Exit status: 0 all went well, 1 a run failed (what was good so far is kept), 2 a mistake in the command line or the task file
(nothing was sent), 130 interrupted with Ctrl-C (everything is saved).)";

int complain(const std::string& message, Status status) {
  fmt::print(stderr, "tgd: {}\n", message);
  return static_cast<int>(status);
}

int carry_out(const Action& action) {
  try {
    return static_cast<int>(action());
  } catch (const TaskError& error) {
    return complain(error.what(), Status::mistake);
  } catch (const std::exception& error) {
    return complain(error.what(), Status::failed);
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
  add_optimize(app, action);
  add_report(app, action);
  add_schema(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(Status::mistake);
  }
  return carry_out(action);
}

}  // namespace tgd::cli
