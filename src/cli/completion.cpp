#include "cli/completion.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/argument_checks.hpp"
#include "cli/command.hpp"
#include "cli/standard_streams.hpp"
#include "core/text.hpp"

namespace tgd::cli {

namespace {

constexpr const char* completion_examples = R"(Examples:
  tgd completion bash > ~/.local/share/bash-completion/completions/tgd
  tgd completion zsh > ~/.zfunc/_tgd                   # with fpath+=(~/.zfunc) before compinit in ~/.zshrc
  tgd completion fish > ~/.config/fish/completions/tgd.fish)";

/// What can follow an option, or stand as an argument.
enum class ArgumentKind { none, word, file, folder };

struct Argument {
  ArgumentKind value = ArgumentKind::none;
  std::vector<std::string> choices = {};
};

struct OptionWords {
  std::vector<std::string> names;  ///< with their dashes
  std::string description;
  Argument argument;
};

/// A command and what can stand behind it.
struct Command {
  std::string path;  ///< "tgd cache stats"
  std::string description;
  std::vector<std::string> subcommands = {};
  std::vector<std::string> subcommand_descriptions = {};
  std::vector<OptionWords> options = {};
  std::vector<Argument> arguments = {};
};

/// Of "TEXT:{train,validation}", the words in braces.
std::vector<std::string> choices_in(const std::string& type) {
  std::vector<std::string> choices;
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open == type.npos ? 0 : open);
  if (open == type.npos || close == type.npos) return choices;
  for (std::size_t begin = open + 1; begin < close;) {
    const std::size_t end = std::min(type.find(',', begin), close);
    choices.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  return choices;
}

Argument argument_of(const CLI::Option& option) {
  if (option.get_expected_max() == 0) return {};
  if (auto choices = choices_in(option.get_type_name()); !choices.empty()) return {ArgumentKind::word, std::move(choices)};
  const std::string& shown = option.get_option_text();
  const auto names = [&](std::string_view word) { return shown.find(word) != shown.npos; };
  if (names("FOLDER") || names("RUN")) return {ArgumentKind::folder};
  if (names("FILE") || names("TASK") || names("SPEC")) return {ArgumentKind::file};
  return {ArgumentKind::word};
}

/// Help is a sentence; a completion has room for its first line.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

OptionWords words_of(const CLI::Option& option) {
  OptionWords words{{}, first_line(option.get_description()), argument_of(option)};
  for (const std::string& name : option.get_lnames()) words.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) words.names.push_back("-" + name);
  return words;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Command>& commands) {
  Command command{path, app.get_description()};
  for (const CLI::Option* option : app.get_options({})) {
    if (option->get_positional()) {
      command.arguments.push_back(argument_of(*option));
    } else {
      command.options.push_back(words_of(*option));
    }
  }
  // A command without a group is hidden.
  const auto subcommands = app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); });
  for (const CLI::App* subcommand : subcommands) {
    command.subcommands.push_back(subcommand->get_name());
    command.subcommand_descriptions.push_back(first_line(subcommand->get_description()));
  }
  commands.push_back(std::move(command));
  for (const CLI::App* subcommand : subcommands) collect(*subcommand, path + " " + subcommand->get_name(), commands);
}

std::vector<Command> commands_of(const CLI::App& app) {
  std::vector<Command> commands;
  collect(app, app.get_name(), commands);
  return commands;
}

/// For single quotes of a POSIX shell.
std::string shell_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

/// Patterns of a case that hold where a command's option stands before the word: 'tgd evaluate|--split'.
std::string option_pattern(const Command& command, const OptionWords& option) {
  std::vector<std::string> patterns;
  for (const std::string& name : option.names) patterns.push_back(shell_quoted(command.path + "|" + name));
  return fmt::format("{}", fmt::join(patterns, " | "));
}

/// Branches of a case over "<command> <word>" that go down the tree of commands.
std::string descents(const std::vector<Command>& commands, const char* variable) {
  std::string text;
  for (const Command& command : commands) {
    for (const std::string& name : command.subcommands) {
      const std::string path = shell_quoted(command.path + " " + name);
      text += fmt::format("      {}) {}={} ;;\n", path, variable, path);
    }
  }
  return text;
}

// ---- bash ---------------------------------------------------------------------------------------------------------------

std::string bash_value(const Argument& argument) {
  switch (argument.value) {
    case ArgumentKind::folder:
      return "_tgd_reply -d";
    case ArgumentKind::file:
      return "_tgd_reply -f";
    default:
      return argument.choices.empty() ? ":" : "_tgd_reply -W " + shell_quoted(joined(argument.choices));
  }
}

std::string bash_words(const Command& command) {
  std::vector<std::string> options;
  for (const OptionWords& option : command.options) options.insert(options.end(), option.names.begin(), option.names.end());
  std::string other = ":";
  if (!command.subcommands.empty()) other = "_tgd_reply -W " + shell_quoted(joined(command.subcommands));
  if (!command.arguments.empty()) other = bash_value(command.arguments.front());
  return fmt::format("    {})\n      case $word in -*) _tgd_reply -W {} ;; *) {} ;; esac ;;\n", shell_quoted(command.path),
                     shell_quoted(joined(options)), other);
}

// ---- zsh ----------------------------------------------------------------------------------------------------------------

std::string zsh_value(const Argument& argument) {
  switch (argument.value) {
    case ArgumentKind::folder:
      return "_files -/";
    case ArgumentKind::file:
      return "_files";
    default:
      return argument.choices.empty() ? "_message value" : "compadd -- " + joined(argument.choices);
  }
}

/// 'word:description', with the colons of the word escaped.
std::string zsh_word(const std::string& word, const std::string& description) { return shell_quoted(word + ":" + description); }

std::string zsh_words(const Command& command) {
  std::string options;
  for (const OptionWords& option : command.options) {
    for (const std::string& name : option.names) options += " " + zsh_word(name, option.description);
  }
  std::string other = ":";
  if (!command.arguments.empty()) other = zsh_value(command.arguments.front());
  if (!command.subcommands.empty()) {
    other = "choices=(";
    for (std::size_t i = 0; i < command.subcommands.size(); ++i)
      other += (i > 0 ? " " : "") + zsh_word(command.subcommands[i], command.subcommand_descriptions[i]);
    other += "); _describe command choices";
  }
  return fmt::format("    {})\n      if [[ $word == -* ]]; then choices=({}); _describe option choices; else {}; fi ;;\n",
                     shell_quoted(command.path), options, other);
}

// ---- fish ---------------------------------------------------------------------------------------------------------------

/// For single quotes of fish.
std::string fish_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return result + "'";
}

std::string fish_value(const Argument& argument) {
  switch (argument.value) {
    case ArgumentKind::none:
      return "";
    case ArgumentKind::folder:
      return " -x -a '(__fish_complete_directories)'";
    case ArgumentKind::file:
      return " -r -F";
    case ArgumentKind::word:
      break;
  }
  return argument.choices.empty() ? " -x" : " -x -a " + fish_quoted(joined(argument.choices));
}

/// The commands below tgd itself, as one list.
std::string fish_paths(const std::vector<Command>& commands) {
  std::vector<std::string> paths;
  for (const Command& command : commands) paths.push_back(fish_quoted(command.path));
  paths.erase(paths.begin());
  return joined(paths);
}

std::string fish_lines(const Command& command) {
  const std::string here = fmt::format("complete -c tgd -n {}", fish_quoted("__tgd_at " + fish_quoted(command.path)));
  std::string lines;
  for (std::size_t i = 0; i < command.subcommands.size(); ++i)
    lines += fmt::format("{} -a {} -d {}\n", here, command.subcommands[i], fish_quoted(command.subcommand_descriptions[i]));
  for (const OptionWords& option : command.options) {
    lines += here;
    for (const std::string& name : option.names)
      lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    lines += fish_value(option.argument) + " -d " + fish_quoted(option.description) + "\n";
  }
  if (!command.arguments.empty() && command.arguments.front().value != ArgumentKind::word) return lines + here + " -F\n";
  if (!command.arguments.empty()) lines += here + " -a " + fish_quoted(joined(command.arguments.front().choices)) + "\n";
  return lines;
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  const std::vector<Command> commands = commands_of(app);
  std::string values;
  std::string words;
  for (const Command& command : commands) {
    for (const OptionWords& option : command.options) {
      if (option.argument.value == ArgumentKind::none) continue;
      values += fmt::format("    {}) {}; return ;;\n", option_pattern(command, option), bash_value(option.argument));
    }
    words += bash_words(command);
  }
  return fmt::format(R"(# Completion of tgd for bash: source this file, or put it into bash's folder of completions.

# Offers what compgen finds with these arguments, one line each, so that names may have blanks.
_tgd_reply() {{
  local IFS=$'\n'
  case $1 in
    -W) IFS=' ' read -r -a _tgd_choices <<< "$2"; COMPREPLY=($(compgen -W "${{_tgd_choices[*]}}" -- "$word")) ;;
    *) compopt -o filenames 2> /dev/null; COMPREPLY=($(compgen "$1" -- "$word")) ;;
  esac
}}

_tgd() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} at=tgd i
  local -a _tgd_choices
  COMPREPLY=()
  # bash takes --option=value apart.
  if [[ $word == '=' ]]; then word=; elif [[ $before == '=' ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$at ${{COMP_WORDS[i]}}" in
{}    esac
  done
  case "$at|$before" in
{}  esac
  case $at in
{}  esac
}}

complete -F _tgd tgd
)",
                     descents(commands, "at"), values, words);
}

std::string zsh_completion(const CLI::App& app) {
  const std::vector<Command> commands = commands_of(app);
  std::string values;
  std::string words_here;
  for (const Command& command : commands) {
    for (const OptionWords& option : command.options) {
      if (option.argument.value == ArgumentKind::none) continue;
      values += fmt::format("    {}) {}; return ;;\n", option_pattern(command, option), zsh_value(option.argument));
    }
    words_here += zsh_words(command);
  }
  return fmt::format(R"(#compdef tgd
# Completion of tgd for zsh: put this file as _tgd into a folder of $fpath.

_tgd() {{
  local word=${{words[CURRENT]}} before=${{words[CURRENT-1]}} at=tgd i
  local -a choices
  for ((i = 2; i < CURRENT; ++i)); do
    case "$at ${{words[i]}}" in
{}    esac
  done
  case "$at|$before" in
{}  esac
  case $at in
{}  esac
}}

if [[ $funcstack[1] == _tgd ]]; then _tgd "$@"; else compdef _tgd tgd; fi
)",
                     descents(commands, "at"), values, words_here);
}

std::string fish_completion(const CLI::App& app) {
  const std::vector<Command> commands = commands_of(app);
  std::string lines;
  for (const Command& command : commands) lines += fish_lines(command);
  return fmt::format(R"(# Completion of tgd for fish: put this file into fish's folder of completions.

function __tgd_at
    set -l at tgd
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
            case {}
                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end

complete -c tgd -f
{})",
                     fish_paths(commands), lines);
}

void add_completion(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("completion", "Print a script that completes tgd's command line in a shell");
  const auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(one_of({"bash", "zsh", "fish"}))
      ->option_text("SHELL");
  command->footer(completion_examples);
  command->callback([shell, &app, &action] {
    action = [shell, &app] {
      const std::string script = *shell == "bash"  ? bash_completion(app)
                                 : *shell == "zsh" ? zsh_completion(app)
                                                   : fish_completion(app);
      write_output(script);
      return Status::ok;
    };
  });
}

}  // namespace tgd::cli
