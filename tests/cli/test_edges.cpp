// Where the program ends and the system begins: standard streams, named outputs, terminals, signals, two processes on one folder.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/trainer.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "core/file.hpp"
#include "core/visible.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

using Arguments = std::vector<std::string>;

/// A finished run on a small task, for all tests.
const fs::path& finished_run() {
  static const test::TemporaryFolder folder;
  static const fs::path run = [] {
    const fs::path task = test::write_small_task(folder, 30);
    const test::ProcessResult result = test::optimize(task, folder.path() / "run", {"--record", "--epochs", "1"});
    if (result.status != 0) throw std::runtime_error(result.err);
    return folder.path() / "run";
  }();
  return run;
}

fs::path task() { return finished_run().parent_path() / "task.json"; }
fs::path data() { return finished_run().parent_path() / "tickets.jsonl"; }

/// Every command, with arguments with which it ends well.
std::vector<Arguments> commands(const fs::path& folder) {
  return {{"--help"},
          {"--version"},
          {"optimize", "--help"},
          {"schema"},
          {"completion", "bash"},
          {"init", data(), "-o", folder / "new.json"},
          {"check", task(), "--no-calls"},
          {"check", task(), "--no-calls", "--json"},
          {"optimize", task(), "--run-dir", folder / "run", "--epochs", "1"},
          {"optimize", task(), "--run-dir", folder / "json", "--epochs", "1", "--json"},
          {"evaluate", task()},
          {"predict", task(), "--input", data()},
          {"predict", task(), "--input", data(), "--output", folder / "out.jsonl", "--json"},
          {"report", finished_run()},
          {"replay", finished_run()}};
}

std::string text_of(const Arguments& arguments) {
  std::string text = "tgd";
  for (const std::string& argument : arguments) text += " " + argument;
  return text;
}

}  // namespace

TEST_CASE("a full or closed standard output ends every command with 1, and says so", "[cli]") {
  const test::TemporaryFolder folder;
  for (const bool is_closed : {false, true}) {
    const fs::path place = folder.path() / (is_closed ? "closed" : "full");
    fs::create_directory(place);
    test::ProcessOptions options;
    if (is_closed) {
      options.closed = {STDOUT_FILENO};
    } else {
      options.out = "/dev/full";
    }
    for (const Arguments& arguments : commands(place)) {
      INFO(text_of(arguments));
      const test::ProcessResult result = test::run_tgd(arguments, options);
      CHECK(result.status == 1);
      CHECK_THAT(result.err, ContainsSubstring("cannot write to standard output"));
    }
  }
}

TEST_CASE("where standard streams are closed no file of a run gets their numbers", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  const std::vector<int> closed = GENERATE(std::vector<int>{1}, std::vector<int>{1, 2}, std::vector<int>{0, 1, 2});
  const test::ProcessResult result = test::optimize(task(), run, {"--epochs", "1", "-v"}, {.closed = closed});
  CHECK(result.status == 1);
  CHECK(test::read_result(run)["status"] == "ok");
  for (const char* name : {"calls.jsonl", "metrics.jsonl", "samples.jsonl", "versions.jsonl"}) {
    std::istringstream lines(test::read_text(run / name));
    for (std::string line; std::getline(lines, line);) {
      INFO(name << ": " << line);
      CHECK(nlohmann::json::parse(line, nullptr, false).is_object());
    }
  }
}

TEST_CASE("a named output that is a link, a pipe or a device is written to and stays what it is", "[cli]") {
  const test::TemporaryFolder folder;
  const std::vector<Arguments> writers = {{"init", data(), "--force", "-o"},
                                          {"report", finished_run(), "-o"},
                                          {"evaluate", task(), "--force", "--output"},
                                          {"predict", task(), "--input", data(), "--force", "--output"}};
  for (Arguments arguments : writers) {
    INFO(text_of(arguments));
    arguments.emplace_back();
    // The text names the file that it stands in.
    const auto text_at = [&](const fs::path& path) {
      fs::remove(path);
      arguments.back() = path;
      REQUIRE(test::run_tgd(arguments).status == 0);
      const std::string text = tgd::detail::read_file(path);
      CHECK_FALSE(text.empty());
      fs::remove(path);
      return text;
    };

    const fs::path link = folder.path() / "link";
    const std::string linked = text_at(link);
    folder.write("target", "old");
    fs::create_symlink("target", link);
    CHECK(test::run_tgd(arguments).status == 0);
    CHECK(fs::is_symlink(link));
    CHECK((tgd::detail::read_file(folder.path() / "target") == linked));

    const fs::path pipe = folder.path() / "pipe";
    const std::string expected = text_at(pipe);
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    const int end = ::open(pipe.c_str(), O_RDWR);
    std::string got(expected.size(), '\0');
    std::thread reader([&] {
      for (std::size_t size = 0; size < got.size();) {
        const ssize_t count = ::read(end, got.data() + size, got.size() - size);
        if (count <= 0) return;
        size += static_cast<std::size_t>(count);
      }
    });
    const int status = test::run_tgd(arguments).status;
    CHECK(status == 0);
    if (status != 0) got.clear();
    if (status == 0) reader.join();
    if (reader.joinable()) {
      [[maybe_unused]] const ssize_t freed = ::write(end, expected.data(), expected.size());
      reader.join();
    }
    CHECK((got == expected));
    ::close(end);
    CHECK(fs::is_fifo(pipe));

    arguments.back() = "/dev/full";
    CHECK(test::run_tgd(arguments).status == 1);
    CHECK(fs::is_character_file("/dev/full"));
    arguments.back() = folder.path();
    CHECK(test::run_tgd(arguments).status == 2);
  }
}

TEST_CASE("what a terminal would obey is shown, whoever says it", "[cli]") {
  const test::TemporaryFolder folder;
  // Escape, a title, C1, an override of direction, a line separator, DEL.
  const std::string evil =
      "\x1b[2J\x1b]0;x\x07\xc2\x9b"
      "1m\xe2\x80\xae\xe2\x80\xa8\x7f";
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    const std::string label = std::string(i % 2 == 0 ? "bill" : "ship") + evil;
    lines += nlohmann::json{{"text", "Ticket " + std::to_string(i) + evil}, {"label" + evil, label}}.dump() + "\n";
  }
  folder.write("tickets.jsonl", lines);
  nlohmann::json json = test::shipped_task();
  json["data"] = {{"file", "tickets.jsonl"},
                  {"inputs", {{"ticket", "text"}}},
                  {"target", "label" + evil},
                  {"split", {{"train", 0.5}, {"validation", 0.25}, {"test", 0.25}}}};
  json["parameters"]["instructions"]["value"] = "Answer bill" + evil + " or ship" + evil + ".";
  json["training"]["epochs"] = 1;
  const fs::path file = folder.write("task.json", json.dump());
  nlohmann::json wrong = json;
  wrong["name" + evil] = 1;
  const fs::path wrong_file = folder.write("wrong.json", wrong.dump());
  const std::string run = folder.path() / "run";

  const std::vector<Arguments> all = {{"init", folder.path() / "tickets.jsonl", "-o", folder.path() / "new.json"},
                                      {"check", file},
                                      {"check", file, "--json"},
                                      {"check", wrong_file},
                                      {"optimize", file, "--run-dir", run, "-v"},
                                      {"optimize", file, "--run-dir", run + "2", "--json"},
                                      {"evaluate", file, "--prompt", "instructions=" + evil},
                                      {"evaluate", file, "--json"},
                                      {"predict", file, "--input", folder.path() / "tickets.jsonl"},
                                      {"report", folder.path() / ("none" + evil)},
                                      {"che" + evil}};
  for (const Arguments& arguments : all) {
    INFO(tgd::detail::visible(text_of(arguments)));
    const test::ProcessResult result = test::run_tgd(arguments);
    CHECK((tgd::detail::visible(result.out) == result.out));
    CHECK((tgd::detail::visible(result.err) == result.err));
  }
  // JSON says the same as ever.
  const nlohmann::json result = test::read_result(run + "2");
  CHECK(result["parameters"]["instructions"]["first"].get<std::string>().find(evil) != std::string::npos);
  const std::string samples = test::read_text(folder.path() / "run/samples.jsonl");
  CHECK((tgd::detail::visible(samples) == samples));
}

TEST_CASE("a run folder that is in use is refused with its holder, and can be read", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  fs::copy(finished_run(), run);
  fs::copy_file(finished_run().parent_path() / "tickets.jsonl", folder.path() / "tickets.jsonl");  // its paths start at the folder
  const std::string before = test::read_text(run / "calls.jsonl");
  Trainer trainer({.run_folder = run});
  auto held = trainer.hold_run_folder();
  const test::ProcessResult refused = test::run_tgd({"optimize", "--resume", run});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, ContainsSubstring("is in use by process " + std::to_string(::getpid())));
  CHECK(test::read_text(run / "calls.jsonl") == before);
  CHECK(test::run_tgd({"report", run}).status == 0);
  CHECK(test::run_tgd({"evaluate", task(), "--prompt", run}).status == 0);
  held.reset();
  CHECK(test::run_tgd({"optimize", "--resume", run}).status == 0);
}

TEST_CASE("predict stops waiting for an input that does not come when it is interrupted", "[cli]") {
  const test::TemporaryFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const bool is_standard_input = GENERATE(true, false);
  Arguments arguments{TGD_PROGRAM, "predict", task(), "--output", folder.path() / "out.jsonl"};
  if (!is_standard_input) arguments.insert(arguments.end(), {"--input", pipe});
  test::Process process(arguments, {.in = is_standard_input ? pipe : fs::path("/dev/null")});
  // The output is made when everything is ready.
  while (!fs::exists(folder.path() / "out.jsonl") && !process.has_ended())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  process.signal(SIGINT);
  const test::ProcessResult result = process.wait();
  CHECK(result.status == 130);
  CHECK_THAT(result.out, ContainsSubstring("0 rows are done"));
}

TEST_CASE("names that can be no file's are mistakes of the task", "[cli]") {
  const test::TemporaryFolder folder;
  folder.write("tickets.jsonl", test::read_text(data()));
  const std::string name = GENERATE(std::string("../rules"), std::string(101, 'a'));
  nlohmann::json json = test::shipped_task();
  json["parameters"][name] = json["parameters"]["instructions"];
  const test::ProcessResult result = test::run_tgd({"check", folder.write("task.json", json.dump()), "--no-calls"});
  CHECK(result.status == 2);
  CHECK_THAT(result.err, ContainsSubstring("cannot be a name"));
}
