// How close whole programs come to their critical path: the longest chain of LM calls that have to wait for each other.
// Replies come from a stub with fixed or drawn latencies; the longest chain is computed from the latencies as they were drawn.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tgd/random.hpp>
#include <tgd/tgd.hpp>

#include "bench.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace tgd;
using std::chrono::microseconds;

/// Latency by kind of call, remembered: forward calls by item and stage, critiques, and the optimizer's.
class Latencies {
 public:
  Latencies(bool heavy_tailed, std::uint64_t seed) : heavy_tailed_(heavy_tailed), random_(seed) {}

  microseconds draw(const lm::Request& request) {
    const std::lock_guard lock(mutex_);
    const double seconds = heavy_tailed_ ? 0.05 / std::pow(1 - random_.random(), 1 / 1.5) : 0.1;
    const double bounded = std::min(seconds, 2.0);
    if (request.info.purpose == "forward") {
      chains_.resize(std::max(chains_.size(), request.info.item.value_or(0) + 1));
      chains_[request.info.item.value_or(0)] += bounded;
    } else if (request.info.purpose == "backward") {
      critique_ = std::max(critique_, bounded);
    } else {
      rewrite_ = std::max(rewrite_, bounded);
    }
    return microseconds(static_cast<std::int64_t>(bounded * 1e6));
  }

  double longest_chain() const { return *std::max_element(chains_.begin(), chains_.end()) + critique_ + rewrite_; }

 private:
  bool heavy_tailed_;
  Random random_;
  std::mutex mutex_;
  std::vector<double> chains_;
  double critique_ = 0;
  double rewrite_ = 0;
};

std::shared_ptr<lm::Stub> endpoint(Latencies& latencies) {
  auto stub = lm::Stub::answering([](const lm::Request& request) -> std::string {
    if (request.info.purpose == "optimize") return "<IMPROVED_VALUE>better</IMPROVED_VALUE>";
    return request.info.purpose == "backward" ? "be better" : "wrong";
  });
  stub->latency([&latencies](std::size_t, const lm::Request& request) { return latencies.draw(request); });
  return stub;
}

std::vector<std::string> mails(std::size_t count) {
  std::vector<std::string> mails;
  for (std::size_t i = 0; i < count; ++i) mails.push_back(fmt::format("mail {}", i));
  return mails;
}

void report(const char* what, double took, double chain) {
  fmt::print("{:<52} {:>8.3f} s, longest chain {:>6.3f} s, ratio {:.3f}\n", what, took, chain, took / chain);
}

void training_step(bool heavy_tailed, std::uint64_t seed) {
  Latencies latencies(heavy_tailed, seed);
  const auto model = endpoint(latencies);
  const Variable prompt("Sort the mail.", "prompt", true);
  optim::TGD optimizer({prompt}, {.model = model});
  const double took = bench::seconds([&] {
    const Variable replies = chat_completion(model, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails(32)}});
    exact_match_evaluator(replies, "right").explanation.backward({.model = model});
    optimizer.step();
  });
  report(heavy_tailed ? "training step, 32 samples, heavy-tailed latency" : "training step, 32 samples, 100 ms latency", took,
         latencies.longest_chain());
}

void four_branches() {
  Latencies latencies(false, 0);
  const auto model = endpoint(latencies);
  const double took = bench::seconds([&] {
    std::vector<Variable> branches;
    for (int i = 0; i < 4; ++i) branches.push_back(chat_completion(model, {{"user", {fmt::format("branch {}", i)}}}));
    sum(branches).wait();
  });
  report("four-branch forward, 100 ms latency", took, 0.1);
}

void three_stages(std::uint64_t seed) {
  Latencies latencies(true, seed);
  const auto model = endpoint(latencies);
  const double took = bench::seconds([&] {
    Variable value(Data(mails(32)), "mail");
    for (int stage = 0; stage < 3; ++stage) value = chat_completion(model, {{"user", {"{value}"}}}, {{"value", value}});
    value.wait();
  });
  report("three-stage agent, 32 samples, heavy-tailed latency", took, latencies.longest_chain());
}

void overhead() {
  const auto model = lm::Stub::answering([](const lm::Request& request) -> std::string {
    if (request.info.purpose == "optimize") return "<IMPROVED_VALUE>better</IMPROVED_VALUE>";
    return request.info.purpose == "backward" ? "be better" : "wrong";
  });
  const std::vector<std::string> batch = mails(512);
  const auto step = [&] {
    const Variable prompt("Sort the mail.", "prompt", true);
    optim::TGD optimizer({prompt}, {.model = model});
    const Variable replies = chat_completion(model, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", batch}});
    exact_match_evaluator(replies, "right").explanation.backward({.model = model});
    optimizer.step();
    model->forget_requests();
  };
  step();
  const double took = bench::median_seconds(9, step);
  fmt::print("{:<52} {:>8.1f} us per sample of a step (forward, exact match, backward, TGD)\n",
             "overhead, 512 samples, no latency", took / 512 * 1e6);
}

/// What a metric by command costs over what the command itself takes for the same lines.
void metric_by_command() {
  constexpr std::size_t samples = 10'000;
  const std::string script = R"(s/^(.{6}[0-9]+),.*/\1,"score":1}/)";
  const test::TemporaryFolder folder;
  std::string lines;
  for (std::size_t i = 1; i <= samples; ++i)
    lines += fmt::format(R"({{"id":{},"prediction":"right","target":"right","sample":null,"inputs":{{}}}})", i) + "\n";
  const std::string alone = fmt::format("sed -u -E '{}' < {} > /dev/null", script, folder.write("lines", lines).string());
  const double own = bench::median_seconds(5, [&] {
    if (std::system(alone.c_str()) != 0) fmt::print("sed failed\n");  // NOLINT(concurrency-mt-unsafe)
  });
  const CommandEvaluator metric({.run = {"sed", "-u", "-E", script}});
  const Variable predictions(Data(std::vector<std::string>(samples, "right")), "answer");
  const double took = bench::median_seconds(5, [&] { metric(predictions, "right").score.wait(); });
  fmt::print("{:<52} {:>8.1f} us per sample, {:.1f} us of them the command's own\n", "metric by command, 10,000 samples",
             took / samples * 1e6, own / samples * 1e6);
}

}  // namespace

int main() {
  training_step(false, 0);
  for (const std::uint64_t seed : {1U, 2U, 3U}) training_step(true, seed);
  four_branches();
  for (const std::uint64_t seed : {1U, 2U, 3U}) three_stages(seed);
  overhead();
  metric_by_command();
}
