// Command: what each subcommand of the program has in common. A subcommand adds itself to the command line and leaves there
// what to do once all of it has been read.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "cli/terminal.hpp"
#include "core/file.hpp"
#include "task/models.hpp"

namespace CLI {
class App;
}

namespace tgd::cli {

/// The exit statuses, as `tgd --help` lists them.
enum class Status {
  ok = 0,
  failed = 1,        ///< a run failed; what was good so far is kept
  mistake = 2,       ///< in the command line, the task file or what it names; nothing was sent
  interrupted = 130  ///< Ctrl-C; everything is saved and can be gone on with
};

/// What the command line asks for. TaskError is answered with `mistake`, every other exception with `failed`.
using Action = std::function<Status()>;

/// What the file leads to that an option names for output; TaskError where nothing can be written.
tgd::detail::Output named_output(const std::string& option, const std::filesystem::path& file);

/// Writes all of a document to where an option says; "-" is standard output. True where the document itself is what the program
/// prints, so that nothing else may stand there.
bool write_named_output(const std::string& option, const std::string& file, const std::string& text);

// The flags that many commands have. The variables have to live as long as `command`.
void add_task_argument(CLI::App& command, std::string& task);
void add_output_flags(CLI::App& command, OutputFlags& flags);
void add_model_flags(CLI::App& command, ModelFlags& flags);

// One function for each subcommand, in the order of the help.
void add_init(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_optimize(CLI::App& app, Action& action);
void add_evaluate(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_runs(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_cache(CLI::App& app, Action& action);
void add_prompts(CLI::App& app, Action& action);
void add_schema(CLI::App& app, Action& action);
void add_completion(CLI::App& app, Action& action);
void add_manual(CLI::App& app, Action& action);

}  // namespace tgd::cli
