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
#include "cli/terminal.hpp"
#include "cli/wording.hpp"
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

/// What went wrong: for people, and for programs that asked for a document and would get none.
class Complaint {
 public:
  explicit Complaint(bool wants_document) : wants_document_(wants_document) {}

  Status operator()(const std::string& message, Status status) const {
    print_error(fmt::format("tgd: {}\n", message));
    print_document(message, status);
    return status;
  }

  void print_document(const std::string& message, Status status) const {
    if (!wants_document_ || Terminal::has_printed_document()) return;
    const OrderedJson document{{"status", name_of(status)}, {"exit_status", static_cast<int>(status)}, {"error", message}};
    write_output(json_text(document, 2) + "\n");
  }

 private:
  static const char* name_of(Status status) {
    return status == Status::interrupted ? "interrupted" : status == Status::mistake ? "mistake" : "failed";
  }

  bool wants_document_;
};

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options({})) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& command, bool with_hidden) {
  std::vector<std::string> names;
  for (const CLI::App* subcommand : command.get_subcommands(std::function<bool(const CLI::App*)>())) {
    if (with_hidden || !subcommand->get_group().empty()) names.push_back(subcommand->get_name());
  }
  return names;
}

/// "cache stats ": the command that was being read.
std::string command_words(const CLI::App& app) {
  std::string words;
  for (const CLI::App* command = &app; !command->get_subcommands().empty();) {
    command = command->get_subcommands().front();
    words += command->get_name() + " ";
  }
  return words;
}

/// What is wrong with the first word that no command or option has; empty where it is something else.
std::string unknown_word(const CLI::App& app, int argc, const char* const* argv) {
  const CLI::App* command = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = std::string(argv[i]).substr(0, std::string_view(argv[i]).find('='));
    const bool is_option = word.starts_with("--");
    if (!is_option && word.starts_with("-")) continue;
    const std::vector<std::string> known = is_option ? option_names(*command) : subcommand_names(*command, true);
    if (known.empty()) continue;  // an argument
    if (std::find(known.begin(), known.end(), word) != known.end()) {
      if (!is_option) command = command->get_subcommand(word);
      continue;
    }
    const std::string near = did_you_mean(word, known);
    if (is_option) return near.empty() ? near : "there is no " + word + near;
    return fmt::format("there is no command \"{}\"{} {} (tgd {}--help says what they do)", word,
                       near.empty() ? "; there are" : near + " There are", quoted_list(subcommand_names(*command, false)),
                       command == &app ? "" : command->get_name() + " ");
  }
  return {};
}

const CLI::App& read_command(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

/// What is wrong with a command line, in the words of whoever reads it.
std::string mistake_in(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = read_command(app);
  const std::string words = command_words(app);
  const std::string more = fmt::format("; tgd {}--help says more", words);
  const auto options = command.get_options({});
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    for (const CLI::Option* option : options) {
      if (option->get_required() && option->count() == 0)
        return fmt::format("{}needs {}: tgd {}{}{}", words, option->get_option_text(), words, option->get_option_text(), more);
    }
    return fmt::format("{}a command is missing: {}{}", words.empty() ? "" : command.get_name() + ": ",
                       quoted_list(subcommand_names(command, false)), more);
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    // The ones that begin with a dash tell more than their values.
    const std::vector<std::string> extra = app.remaining(true);
    const auto option = std::find_if(extra.begin(), extra.end(), [](const std::string& word) { return word.starts_with("-"); });
    if (option != extra.end()) return fmt::format("tgd {}has no option {}{}", words, *option, more);
    return fmt::format("tgd {}does not take \"{}\"{}", words, extra.empty() ? std::string() : extra.front(), more);
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    for (const CLI::Option* option : options) {
      if (std::string_view(error.what()).starts_with(option->get_name() + ":"))
        return fmt::format("{} needs a value: {} {}{}", option->get_name(), option->get_name(), option->get_option_text(),
                           more);
    }
  }
  const std::string what = error.what();
  return what.ends_with('?') ? fmt::format("{} (tgd {}--help says more)", what, words) : what + more;
}

Status carry_out(const Action& action, const Complaint& complain) {
  try {
    const Status status = action();
    if (status != Status::ok) complain.print_document(status == Status::interrupted ? "interrupted" : "failed", status);
    return status;
  } catch (const TaskError& error) {
    return complain(message_of(error), Status::mistake);
  } catch (const std::exception& error) {
    // What an interrupted command says is how it noticed.
    return complain(message_of(error), Interrupt::has_come() ? Status::interrupted : Status::failed);
  }
}

/// Where nobody can have read the output, not all went well.
Status with_output_written(Status status, const Complaint& complain) {
  try {
    expect_output_written();
    return status;
  } catch (const ValueError& error) {
    return complain(error.what(), status == Status::ok ? Status::failed : status);
  }
}

Status parse(CLI::App& app, int argc, const char* const* argv, const Complaint& complain) {
  try {
    app.parse(argc, argv);
    return Status::ok;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    if (app.exit(error, out, err) == 0) {  // help
      write_output(out.str());
      return Status::ok;
    }
    const std::string unknown = unknown_word(app, argc, argv);
    if (!unknown.empty()) return complain(unknown, Status::mistake);
    return complain(mistake_in(app, error), Status::mistake);
  }
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  // As other programs have it: `tgd help optimize` is `tgd optimize --help`.
  std::vector<const char*> arguments(argv, argv + argc);
  if (argc > 1 && std::string_view(argv[1]) == "help") {
    arguments.erase(arguments.begin() + 1);
    arguments.push_back("--help");
    argv = arguments.data();
  }
  CLI::App app("tgd: textual gradient descent. Improves the prompts of programs that call language models.", "tgd");
  app.set_version_flag("--version", "tgd " + std::string(version()));
  app.require_subcommand(1);
  app.footer(footer);
  const std::vector<std::string_view> words(argv, argv + argc);
  const Complaint complain(std::find(words.begin(), words.end(), "--json") != words.end());
  Terminal::forget_document();
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
  add_manual(app, action);
  Status status = parse(app, argc, argv, complain);
  if (status == Status::ok && action) status = carry_out(action, complain);  // none: help was asked for
  return static_cast<int>(with_output_written(status, complain));
}

}  // namespace tgd::cli
