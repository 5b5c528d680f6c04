// `tgd manual`: what packagers need; it is not in the list of commands.
#include "cli/manual.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/version.hpp>

#include "cli/command.hpp"
#include "cli/completion.hpp"
#include "core/file.hpp"

namespace tgd::cli {

namespace {

/// Text as roff takes it: no line is a request, and hyphens can be copied.
std::string roff_text(std::string_view text) {
  std::string result;
  bool begins_line = true;
  for (const char c : text) {
    if (begins_line && (c == '.' || c == '\'')) result += "\\&";
    begins_line = c == '\n';
    result += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  }
  return result;
}

std::string preformatted(std::string_view text) { return ".nf\n" + roff_text(text) + "\n.fi\n"; }

/// In quotes a mark of its own would end them.
std::string roff_argument(std::string_view text) {
  std::string result;
  for (const char c : text) result += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return "\"" + result + "\"";
}

std::string names_of(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) names += (names.empty() ? "--" : ", --") + name;
  if (names.empty()) return option.get_option_text();
  const std::string& value = option.get_option_text();
  return value.empty() ? names : names + " " + value;
}

std::string options_text(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* option : command.get_options({}))
    text += fmt::format(".TP\n.B {}\n{}\n", roff_text(names_of(*option)), roff_text(option->get_description()));
  return text;
}

std::vector<const CLI::App*> commands_in(const CLI::App& app) {
  std::vector<const CLI::App*> commands;
  for (const CLI::App* command : app.get_subcommands(std::function<bool(const CLI::App*)>())) {
    if (!command->get_group().empty()) commands.push_back(command);
  }
  return commands;
}

std::string synopsis(const CLI::App& command, const std::string& words) {
  std::string text = words;
  for (const CLI::Option* option : command.get_options({})) {
    if (!option->get_positional()) continue;
    text += option->get_required() ? " " + option->get_option_text() : " [" + option->get_option_text() + "]";
  }
  return text + (commands_in(command).empty() ? " [OPTION]..." : " COMMAND [OPTION]...");
}

/// "tgd cache stats" as "tgd-cache-stats".
std::string page_name(std::string words) {
  for (char& c : words) c = c == ' ' ? '-' : c;
  return words;
}

void add_pages(const CLI::App& command, const std::string& words, std::vector<ManualPage>& pages) {
  std::string upper = page_name(words);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  std::string text =
      fmt::format(".TH {} 1 \"\" {} \"User Commands\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n", roff_argument(upper),
                  roff_argument("tgd " + std::string(version())), roff_text(page_name(words)),
                  roff_text(command.get_description()), roff_text(synopsis(command, words)));
  const std::vector<const CLI::App*> commands = commands_in(command);
  if (!commands.empty()) text += ".SH COMMANDS\n";
  for (const CLI::App* one : commands)
    text += fmt::format(".TP\n.BR {} (1)\n{}\n", roff_text(page_name(words + " " + one->get_name())),
                        roff_text(one->get_description()));
  text += ".SH OPTIONS\n" + options_text(command);
  if (!command.get_footer().empty()) text += ".SH NOTES\n" + preformatted(command.get_footer());
  if (words != "tgd") text += ".SH SEE ALSO\n.BR tgd (1)\n";
  pages.push_back({page_name(words), std::move(text)});
  for (const CLI::App* one : commands) add_pages(*one, words + " " + one->get_name(), pages);
}

Status write_manual(const CLI::App& app, const std::filesystem::path& folder) {
  const auto write = [](const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    tgd::detail::write_file(file, text);
  };
  for (const ManualPage& page : manual_pages(app)) write(folder / "man/man1" / (page.name + ".1"), page.text);
  // Where each shell looks.
  write(folder / "bash-completion/completions/tgd", bash_completion(app));
  write(folder / "zsh/vendor-completions/_tgd", zsh_completion(app));
  write(folder / "fish/vendor_completions.d/tgd.fish", fish_completion(app));
  return Status::ok;
}

}  // namespace

std::vector<ManualPage> manual_pages(const CLI::App& app) {
  std::vector<ManualPage> pages;
  add_pages(app, app.get_name(), pages);
  return pages;
}

void add_manual(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("manual", "Write manual pages and completions into a folder, for packages");
  command->group("");  // nobody else needs it
  const auto folder = std::make_shared<std::string>();
  command->add_option("folder", *folder, "Where a package's share/ will be")->required()->option_text("FOLDER");
  command->callback([folder, &app, &action] { action = [folder, &app] { return write_manual(app, *folder); }; });
}

}  // namespace tgd::cli
