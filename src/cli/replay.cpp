// `tgd replay`: runs a recorded run once more, and says whether it came to the same.
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/lm/recorded.hpp>

#include "cli/command.hpp"
#include "cli/optimize.hpp"
#include "core/counted.hpp"
#include "core/file.hpp"
#include "core/json_position.hpp"
#include "core/text.hpp"
#include "run/folder.hpp"
#include "run/interrupt.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* replay_examples = R"(Examples:
  tgd optimize task.json --record --run-dir runs/recorded
  tgd replay runs/recorded
      the same run from runs/recorded/run.cassette: no key, no network, no cost

Compared are the values of the parameters, every line of metrics.jsonl, and what the run cost. Exit status: 0 the same, 1 not the
same. A run that was interrupted and gone on with can be replayed when each of its sessions was recorded (--record).)";

struct ReplayFlags {
  std::string run = {};
  std::optional<fs::path> run_dir = {};
  OutputFlags output = {};
};

/// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "tgd-replay-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw ValueError("cannot make a folder in " + fs::temp_directory_path().string());
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Where two runs part.
struct Difference {
  std::string what;
  std::string recorded;
  std::string replayed;
};

OrderedJson json_in(const fs::path& file) {
  return fs::exists(file) ? detail::parse_json<OrderedJson>(detail::read_file(file), file.string(), 1) : OrderedJson();
}

/// null where there is none.
OrderedJson member(const OrderedJson& json, const char* name) {
  return json.is_object() ? json.value(name, OrderedJson()) : OrderedJson();
}

std::vector<OrderedJson> lines_in(const fs::path& file) {
  std::vector<OrderedJson> lines;
  detail::read_json_lines<OrderedJson>(file, [&lines](const LineReader& line) { lines.push_back(line.json()); });
  return lines;
}

std::string text_of(const OrderedJson& json) {
  constexpr std::size_t most_shown = 500;
  if (json.is_null()) return "(nothing)";
  const std::string text = json.is_string() ? json.get<std::string>() : json_text(json);
  return detail::excerpt(text, most_shown);
}

/// The first member, in the order of the first document, in which two documents differ.
std::optional<Difference> difference_in(const std::string& what, const OrderedJson& recorded, const OrderedJson& replayed) {
  if (recorded == replayed) return std::nullopt;
  if (recorded.is_object() && replayed.is_object()) {
    for (const auto& [name, value] : recorded.items()) {
      const OrderedJson other = replayed.value(name, OrderedJson());
      if (value != other) return difference_in(what + " /" + name, value, other);
    }
  }
  return Difference{what, text_of(recorded), text_of(replayed)};
}

std::optional<Difference> difference_in_metrics(const fs::path& recorded, const fs::path& replayed) {
  const std::vector<OrderedJson> first = lines_in(recorded / "metrics.jsonl");
  const std::vector<OrderedJson> second = lines_in(replayed / "metrics.jsonl");
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    const OrderedJson line = i < first.size() ? first[i] : OrderedJson();
    const OrderedJson other = i < second.size() ? second[i] : OrderedJson();
    if (line != other) return Difference{fmt::format("metrics.jsonl, line {}", i + 1), text_of(line), text_of(other)};
  }
  return std::nullopt;
}

/// In the order in which things happen: what comes first explains the rest.
std::optional<Difference> first_difference(const fs::path& recorded, const fs::path& replayed) {
  if (auto difference = difference_in_metrics(recorded, replayed)) return difference;
  const OrderedJson values = json_in(recorded / "parameters.json");
  if (auto difference = difference_in("parameters.json", values, json_in(replayed / "parameters.json"))) return difference;
  const OrderedJson result = json_in(recorded / "result.json");
  const OrderedJson other = json_in(replayed / "result.json");
  for (const char* name : {"accuracy", "calls", "cost"}) {
    auto difference = difference_in(std::string("result.json /") + name, member(result, name), member(other, name));
    if (difference) return difference;
  }
  return std::nullopt;
}

std::shared_ptr<lm::Cassette> open_cassette(const RunFolder& folder) {
  if (!fs::exists(folder.cassette_file()))
    throw TaskError("replay: " + folder.path().string() +
                    " has no run.cassette: the run was not recorded; `tgd optimize --record` makes one that is");
  try {
    return std::make_shared<lm::Cassette>(
        lm::CassetteOptions{.path = folder.cassette_file(), .mode = lm::CassetteMode::replay});
  } catch (const Error& error) {
    throw TaskError(error.what());
  }
}

/// Where models are reached, and with which key, is not needed, and what it takes from the environment may not be there any more.
OrderedJson task_without_endpoints(const fs::path& file) {
  OrderedJson task = TaskDocument::read(file).root().json();
  const auto models = task.is_object() ? task.find("models") : task.end();
  if (models == task.end()) return resolved_json(read_task(file));
  for (auto& model : *models) {
    if (!model.is_object()) continue;
    model.erase("base_url");
    model.erase("api_key");
  }
  return resolved_json(parse_task(TaskDocument(file, task.dump()), file));
}

/// What the run says of itself; a run that did not come to its end cannot be compared to its end.
void expect_finished(const RunFolder& folder) {
  const OrderedJson result = json_in(folder.path() / "result.json");
  const OrderedJson status_member = member(result, "status");
  const std::string status = status_member.is_string() ? status_member.get<std::string>() : "";
  if (status == "ok") return;
  throw TaskError(fmt::format(
      "replay: {} did not come to its end ({}): there is nothing to compare a replay with; go on with it first: tgd "
      "optimize --record --resume {}",
      folder.path().string(), status.empty() ? "it has no result.json" : "it was " + status, folder.path().string()));
}

class Replay {
 public:
  explicit Replay(const ReplayFlags& flags)
      : terminal_(flags.output), interrupt_(), recorded_(RunFolder::open(flags.run, "replay")), flags_(flags) {}

  Status run() {
    expect_finished(recorded_);
    const auto cassette = open_cassette(recorded_);
    const TemporaryFolder temporary;
    const fs::path folder = flags_.run_dir ? *flags_.run_dir : temporary.path() / "run";
    terminal_.note(fmt::format("replaying {} from {}", recorded_.path().string(),
                               tgd::detail::counted(cassette->size(), "reply", "replies")));
    const fs::path task = temporary.path() / "task.json";
    detail::write_file(task, json_text(task_without_endpoints(recorded_.task_file())));
    const auto difference = replay(task, cassette, folder, recorded_.path());
    if (interrupt_.requested()) return Status::interrupted;
    terminal_.document(result(*cassette, difference));
    return print(*cassette, difference);
  }

 private:
  /// The first difference; a request that is not on the cassette is one, too.
  static std::optional<Difference> replay(const fs::path& task, const std::shared_ptr<lm::Cassette>& cassette,
                                          const fs::path& folder, const fs::path& recorded) {
    OptimizeFlags flags{.task = task.string(), .run_dir = folder, .output = {.quiet = true, .silent = true}};
    flags.model.no_cache = true;
    try {
      if (optimize(flags, cassette).status == Status::ok) return first_difference(recorded, folder);
      return Difference{"the end of the run", "ok", "interrupted"};
    } catch (const TaskError&) {
      throw;
    } catch (const std::exception& error) {
      return Difference{"the requests", "ok", error.what()};
    }
  }

  OrderedJson result(const lm::Cassette& cassette, const std::optional<Difference>& difference) const {
    OrderedJson json{{"run", recorded_.path().string()},
                     {"same", !difference},
                     {"replies", cassette.size()},
                     {"replayed", cassette.replayed()}};
    if (difference)
      json["difference"] = {{"what", difference->what}, {"recorded", difference->recorded}, {"replayed", difference->replayed}};
    return json;
  }

  Status print(const lm::Cassette& cassette, const std::optional<Difference>& difference) {
    if (!difference) {
      terminal_.line(fmt::format("The same: {} gave the same parameters, figures and costs.",
                                 tgd::detail::counted(cassette.replayed(), "reply", "replies")));
      return Status::ok;
    }
    terminal_.line("Not the same. The first difference: " + difference->what);
    terminal_.line("  recorded: " + difference->recorded);
    terminal_.line("  replayed: " + difference->replayed);
    return Status::failed;
  }

  Terminal terminal_;
  Interrupt interrupt_;  // so that the temporary folder goes away
  RunFolder recorded_;
  const ReplayFlags& flags_;
};

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("replay", "Run a recorded run once more, without a model, and compare");
  const auto flags = std::make_shared<ReplayFlags>();
  command->add_option("run", flags->run, "The folder of a run that was made with --record")->required()->option_text("RUN");
  command->add_option("--run-dir", flags->run_dir, "Keep the replay's files in this new folder")->option_text("FOLDER");
  add_output_flags(*command, flags->output);
  command->footer(replay_examples);
  command->callback([flags, &action] { action = [flags] { return Replay(*flags).run(); }; });
}

}  // namespace tgd::cli
