// 10,000 samples through a metric by command, against the same lines piped through the same command by a bare loop around poll(). The
// difference is what tgd takes for a sample.
//
//   bench_command [command and its arguments…]   without one: this program as a metric, and one in Python

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <tgd/cognitive/command_evaluator.hpp>
#include <tgd/variable.hpp>

#include "bench.hpp"

namespace {

using namespace tgd;

constexpr std::size_t samples = 10'000;
constexpr std::size_t window = 256;  // as CommandOptions::max_in_flight
constexpr int runs = 5;

/// The least that a metric can do: a score for each line, found without reading JSON.
int be_a_metric() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    const std::string_view id = std::string_view(line).substr(6, line.find(',') - 6);  // {"id":7,…
    std::cout << "{\"id\":" << id << ",\"score\":1}\n" << std::flush;
  }
  return 0;
}

std::string prediction_of(std::size_t i) {
  return fmt::format("The answer to question number {}, about as long as the answers of models are when they are short.", i);
}
std::string target_of(std::size_t i) { return fmt::format("answer {}", i % 7); }

/// What the bare loop sends: what tgd sends.
std::string line_of(std::size_t i) {
  return fmt::format("{{\"id\":{},\"prediction\":\"{}\",\"target\":\"{}\",\"sample\":null,\"inputs\":{{}}}}\n", i,
                     prediction_of(i), target_of(i));
}

struct Spawned {
  pid_t process = -1;
  int in = -1;
  int out = -1;
};

Spawned spawn(const std::vector<std::string>& command) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  Spawned spawned{-1, in[1], out[0]};
  if (::posix_spawnp(&spawned.process, arguments[0], &actions, nullptr, arguments.data(), environ) != 0)
    throw std::runtime_error("cannot be started: " + command[0]);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  ::fcntl(spawned.in, F_SETFL, O_NONBLOCK);
  ::fcntl(spawned.out, F_SETFL, O_NONBLOCK);
  return spawned;
}

/// All lines through one process, `window` of them in flight. It has answered one before the clock begins.
double bare_seconds(const std::vector<std::string>& command) {
  const Spawned process = spawn(command);
  std::size_t sent = 0;
  std::size_t answered = 0;
  std::string pending;
  std::array<char, 65536> buffer{};
  const auto talk_until = [&](std::size_t last) {
    while (answered < last) {
      while (sent < last && sent < answered + window) pending += line_of(++sent);
      if (!pending.empty()) {
        const ssize_t written = ::write(process.in, pending.data(), pending.size());
        if (written > 0) pending.erase(0, static_cast<std::size_t>(written));
      }
      std::array<pollfd, 2> polled{pollfd{process.out, POLLIN, 0}, pollfd{process.in, POLLOUT, 0}};
      ::poll(polled.data(), pending.empty() ? 1 : 2, -1);
      const ssize_t count = ::read(process.out, buffer.data(), buffer.size());
      if (count == 0) throw std::runtime_error("the command has ended");
      for (ssize_t i = 0; i < count; ++i) answered += buffer[static_cast<std::size_t>(i)] == '\n' ? 1 : 0;
    }
  };
  talk_until(1);
  const double taken = bench::seconds([&] { talk_until(samples + 1); });
  ::close(process.in);
  ::close(process.out);
  ::waitpid(process.process, nullptr, 0);
  return taken;
}

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double tgd_seconds(const std::vector<std::string>& command, bool is_deterministic, double& processor) {
  const CommandEvaluator evaluator(CommandOptions{.run = command, .is_deterministic = is_deterministic});
  std::vector<std::string> predictions;
  std::vector<std::string> targets;
  for (std::size_t i = 1; i <= samples; ++i) {
    predictions.push_back(prediction_of(i));
    targets.push_back(target_of(i));
  }
  evaluator(Variable("warm"), Variable("warm")).score.wait();
  const Variable prediction(predictions, "answer");
  const Variable target(targets, "target");
  const double before = processor_seconds();
  const double taken = bench::seconds([&] {
    if (evaluator(prediction, target, {}, {.evaluator = {.reduction = Reduction::none}}).score.data().size() != samples)
      throw std::runtime_error("wrong scores");
  });
  processor = processor_seconds() - before;
  return taken;
}

void compare(const std::string& name, const std::vector<std::string>& command) {
  const auto per_sample = [](double seconds) { return seconds / static_cast<double>(samples) * 1e6; };
  std::vector<double> bare;
  std::vector<double> ours;
  std::vector<double> deterministic;
  std::vector<double> processor;
  for (int run = 0; run < runs; ++run) {
    double used = 0;
    bare.push_back(bare_seconds(command));
    ours.push_back(tgd_seconds(command, false, used));
    processor.push_back(used);
    deterministic.push_back(tgd_seconds(command, true, used));
  }
  const double base = per_sample(bench::median(bare));
  fmt::print("{:<28} {:>8.1f} {:>8.1f} {:>12.1f} {:>14.1f} {:>12.1f}\n", name, base, per_sample(bench::median(ours)),
             per_sample(bench::median(ours)) - base, per_sample(bench::median(deterministic)) - base,
             per_sample(bench::median(processor)));
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> command(argv + 1, argv + argc);
  if (command == std::vector<std::string>{"--metric"}) return be_a_metric();
  fmt::print("{} samples, medians of {} runs, us a sample\n", samples, runs);
  fmt::print("{:<28} {:>8} {:>8} {:>12} {:>14} {:>12}\n", "metric", "bare", "tgd", "tgd - bare", "deterministic", "its CPU");
  if (!command.empty()) return compare(command[0], command), 0;
  compare("C++", {std::filesystem::read_symlink("/proc/self/exe").string(), "--metric"});
  compare("Python", {"python3", "-c",
                     "import sys, json\n"
                     "for line in sys.stdin:\n"
                     "    q = json.loads(line)\n"
                     "    print(json.dumps({'id': q['id'], 'score': float(q['prediction'] == q['target'])}), flush=True)\n"});
}
