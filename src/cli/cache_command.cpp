// `tgd cache`: looks after a file of replies.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/lm/cached.hpp>

#include "cli/argument_checks.hpp"
#include "cli/command.hpp"
#include "core/counted.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;
using Seconds = std::chrono::seconds;

constexpr const char* cache_examples = R"(Examples:
  tgd cache stats task.json
      of the cache that the task names
  tgd cache prune replies.db --older-than 30d
  tgd cache prune replies.db --keep 100000
      the newest ones only

What is pruned is asked for, and paid, anew when a run needs it again.)";

struct CacheFlags {
  std::string file = {};
  std::optional<std::int64_t> keep = {};
  std::optional<std::string> older_than = {};
  OutputFlags output = {};
};

/// The file itself, or the one that a task names.
fs::path cache_file(const std::string& argument) {
  fs::path path = argument;
  if (path.extension() == ".json") {
    const Task task = read_task(path);
    if (!task.cache) throw TaskError(argument + R"(: the task has no cache; "cache": "replies.db" gives it one)");
    path = *task.cache;
  }
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    throw TaskError("there is no cache " + path.string() + " yet; the first run that uses it makes it");
  return path;
}

std::unique_ptr<lm::Cache> open(const fs::path& path) {
  try {
    return std::make_unique<lm::Cache>(lm::CacheOptions{.path = path});
  } catch (const ValueError& error) {
    throw TaskError(error.what());
  }
}

std::string size_text(std::int64_t bytes) {
  constexpr double step = 1024;
  double size = static_cast<double>(bytes);
  const char* unit = "bytes";
  for (const char* larger : {"KiB", "MiB", "GiB"}) {
    if (size < step) break;
    size /= step;
    unit = larger;
  }
  return *unit == 'b' ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", size, unit);
}

/// "30d": a whole number of seconds, minutes, hours, days or weeks.
Seconds duration_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::string_view units = "smhdw";
  constexpr std::int64_t seconds[] = {1, 60, 3600, 86'400, 604'800};
  constexpr std::int64_t most = 1'000'000'000;  // seconds; 31 years
  const std::size_t which = unit.size() == 1 ? units.find(unit) : units.npos;
  if (error != std::errc() || which == units.npos || number < 0 || number > most / seconds[which])
    throw TaskError("--older-than " + text + ": expected a whole number with s, m, h, d or w behind it, such as 30d");
  return Seconds(number * seconds[which]);
}

Status print_stats(const CacheFlags& flags) {
  Terminal terminal(flags.output);
  const fs::path path = cache_file(flags.file);
  const auto cache = open(path);
  terminal.line(fmt::format("{}: {}, {}", path.string(), tgd::detail::counted(cache->size(), "reply", "replies"),
                            size_text(cache->bytes())));
  terminal.document({{"file", path.string()}, {"replies", cache->size()}, {"bytes", cache->bytes()}});
  return Status::ok;
}

std::int64_t prune(lm::Cache& cache, const CacheFlags& flags) {
  if (flags.keep) return cache.prune(*flags.keep);
  return cache.prune(std::chrono::system_clock::now() - duration_of(*flags.older_than));
}

Status prune(const CacheFlags& flags) {
  if (flags.keep.has_value() == flags.older_than.has_value())
    throw TaskError("prune needs either --keep with a number of replies or --older-than with an age, such as 30d");
  if (flags.older_than) duration_of(*flags.older_than);  // before anything is opened
  Terminal terminal(flags.output);
  const fs::path path = cache_file(flags.file);
  const auto cache = open(path);
  const std::int64_t removed = prune(*cache, flags);
  terminal.line(fmt::format("{}: {} removed, {} left, {}", path.string(), tgd::detail::counted(removed, "reply", "replies"),
                            cache->size(), size_text(cache->bytes())));
  terminal.document({{"file", path.string()}, {"removed", removed}, {"replies", cache->size()}, {"bytes", cache->bytes()}});
  return Status::ok;
}

CLI::App* add_cache_command(CLI::App& cache, const char* name, const char* description, CacheFlags& flags) {
  CLI::App* command = cache.add_subcommand(name, description);
  command->add_option("file", flags.file, "The cache, or a task (.json) that names it")->required()->option_text("FILE|TASK");
  add_output_flags(*command, flags.output);
  return command;
}

}  // namespace

void add_cache(CLI::App& app, Action& action) {
  CLI::App* cache = app.add_subcommand("cache", "Look after a cache of replies");
  cache->require_subcommand(1);
  cache->footer(cache_examples);
  const auto flags = std::make_shared<CacheFlags>();
  CLI::App* stats = add_cache_command(*cache, "stats", "Say how much is in it", *flags);
  stats->callback([flags, &action] { action = [flags] { return print_stats(*flags); }; });
  CLI::App* pruning = add_cache_command(*cache, "prune", "Remove old replies; the space goes back to the disk", *flags);
  pruning->add_option("--keep", flags->keep, "Keep so many of the newest replies")->check(whole_number(0))->option_text("N");
  pruning->add_option("--older-than", flags->older_than, "Remove what is older: 12h, 30d, 8w")->option_text("AGE");
  pruning->footer(cache_examples);
  pruning->callback([flags, &action] { action = [flags] { return prune(*flags); }; });
}

}  // namespace tgd::cli
