#include "cli/program.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <CLI/CLI.hpp>
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
  add_check(app, action);
  add_optimize(app, action);
  add_evaluate(app, action);
  add_predict(app, action);
  add_report(app, action);
  add_replay(app, action);
  add_cache(app, action);
  add_schema(app, action);
  add_completion(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) == 0) return 0;
    if (const std::string suggestion = suggest(app, argc, argv); !suggestion.empty()) fmt::print(stderr, "{}\n", suggestion);
    return static_cast<int>(Status::mistake);
  }
  return carry_out(action);
}

}  // namespace tgd::cli
