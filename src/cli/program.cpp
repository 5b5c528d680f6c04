#include "cli/program.hpp"

#include <cstdio>
#include <exception>
#include <functional>
#include <string>

#include <fmt/core.h>
#include <CLI/CLI.hpp>
#include <tgd/version.hpp>

#include "cli/optimize.hpp"
#include "cli/task_document.hpp"

namespace tgd::cli {

namespace {

enum Status { all_well = 0, failed = 1, mistake = 2 };

constexpr const char* optimize_examples = R"(Examples:
  tgd optimize examples/tickets/task.json
      with the simulated LM that the task asks for: no key, no network
  tgd optimize task.json --model gpt-4o-mini
      at api.openai.com, with the key in OPENAI_API_KEY
  tgd optimize task.json --base-url http://localhost:8000/v1 --model qwen3
      at any server that speaks the OpenAI protocol

The run folder gets the optimized prompt (<parameter>.txt, parameters.json), the figures (result.json), a line for each step
(metrics.jsonl) and the task as it was run (task.json).
Exit status: 0 all went well, 1 the run failed, 2 a mistake in the command line or the task file.)";

void add_optimize(CLI::App& app, OptimizeFlags& flags, std::function<void()>& command) {
  CLI::App* optimize_app = app.add_subcommand("optimize", "Improve the prompts of a task by textual gradient descent");
  optimize_app->add_option("task", flags.task, "The task file")->required()->option_text("TASK");
  optimize_app->add_option("--base-url", flags.model.base_url, "Endpoint that speaks the OpenAI protocol")->option_text("URL");
  optimize_app->add_option("--model", flags.model.model, "Model to ask for there; plays all roles of the task")
      ->option_text("NAME");
  optimize_app->add_option("--epochs", flags.epochs, "How often to go through the training part")
      ->check(CLI::PositiveNumber)
      ->option_text("N");
  optimize_app->add_option("--seed", flags.seed, "Seed of the order of the training part")->option_text("N");
  optimize_app->add_option("--run-dir", flags.run_dir, "New folder for the results; else runs/<name>-<time>")
      ->option_text("FOLDER");
  optimize_app->add_option("--max-in-flight", flags.model.max_in_flight, "Requests at the same time")
      ->check(CLI::PositiveNumber)
      ->option_text("N");
  optimize_app->add_option("--max-retries", flags.model.max_retries, "Further attempts after a failed one")
      ->check(CLI::Range(0, 1000))
      ->option_text("N");
  optimize_app->add_option("--timeout", flags.model.timeout_seconds, "Of one request")
      ->check(CLI::PositiveNumber)
      ->option_text("SECONDS");
  optimize_app->add_option("--prompts", flags.prompts, "Folder with texts to use instead of tgd's own")->option_text("FOLDER");
  optimize_app->add_flag("-q,--quiet", flags.quiet, "Print the result only");
  optimize_app->footer(optimize_examples);
  optimize_app->callback([&flags, &command] { command = [&flags] { optimize(flags); }; });
}

int complain(const std::string& message, Status status) {
  fmt::print(stderr, "tgd: {}\n", message);
  return status;
}

int run_command(const std::function<void()>& command) {
  try {
    command();
    return all_well;
  } catch (const TaskError& error) {
    return complain(error.what(), mistake);
  } catch (const std::exception& error) {
    return complain(error.what(), failed);
  }
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  CLI::App app("tgd: textual gradient descent. Improves the prompts of programs that call language models.", "tgd");
  app.set_version_flag("--version", "tgd " + std::string(version()));
  app.require_subcommand(1);
  app.footer("`tgd optimize --help` says more.");
  OptimizeFlags flags;
  std::function<void()> command;
  add_optimize(app, flags, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? all_well : mistake;
  }
  return run_command(command);
}

}  // namespace tgd::cli
