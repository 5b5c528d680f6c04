// A step over many parameters: its requests go out at once, so it takes one latency, and one more for each round of re-asks.
#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tgd/tgd.hpp>

#include "bench.hpp"

namespace {

using namespace tgd;

constexpr std::size_t parameters = 100;
constexpr std::chrono::milliseconds latency{100};

std::string value(std::size_t number, std::size_t words) {
  std::string text;
  for (std::size_t i = 0; i < words; ++i) text += fmt::format("word{} ", (i * 7 + number) % 500);
  return text;
}

/// Replies between the tags that the request names; a broken one first for one request in `broken`.
std::shared_ptr<lm::Stub> endpoint(std::size_t broken) {
  std::vector<std::string> replies;
  for (std::size_t i = 0; i < parameters; ++i) replies.push_back("<IMPROVED_VALUE>" + value(i + 1, 300) + "</IMPROVED_VALUE>");
  auto stub = lm::Stub::answering([broken, replies](const lm::Request& request) -> std::string {
    const bool is_first = request.messages.size() == 2;
    const std::size_t number = std::stoul(request.info.parameter);
    if (is_first && broken > 0 && number % broken == 0) return "I would rather not say.";
    return replies[number];
  });
  stub->latency(latency);
  return stub;
}

std::vector<Variable> prompts() {
  std::vector<Variable> prompts;
  for (std::size_t i = 0; i < parameters; ++i) {
    Variable prompt(value(i, 300), fmt::format("{}", i), true);
    for (int gradient = 0; gradient < 4; ++gradient) prompt.append_grad(Variable(value(i + 50, 200)));
    prompts.push_back(prompt);
  }
  return prompts;
}

void report(const std::string& what, double seconds, double rounds) {
  const double least = rounds * std::chrono::duration<double>(latency).count();
  fmt::print("{:<52} {:>8.3f} s, latency {:>6.3f} s, ratio {:.3f}\n", what, seconds, least, seconds / least);
}

double step_seconds(std::size_t broken) {
  std::vector<double> times;
  for (int run = 0; run < 5; ++run) {
    optim::TGD optimizer(prompts(), {.model = endpoint(broken), .momentum = 3});
    times.push_back(bench::seconds([&] { optimizer.step(); }));
  }
  return bench::median(std::move(times));
}

void own_work() {
  const auto model = endpoint(0);
  model->latency(std::chrono::milliseconds(0));
  optim::TGD optimizer(prompts(), {.model = model, .momentum = 3});
  const double took = bench::median_seconds(5, [&] { optimizer.step(); });
  fmt::print("{:<52} {:>8.1f} us per parameter\n", "a step without latency", took / parameters * 1e6);
}

void edit_distance() {
  const std::string before = value(1, 10'000);
  const std::string after = value(3, 10'000) + value(9, 200);
  optim::TGDOptions options{
      .model = lm::Stub::answering([&](const lm::Request&) { return "<IMPROVED_VALUE>" + after + "</IMPROVED_VALUE>"; })};
  options.context_budget = 1'000'000;
  Variable prompt(before, "1", true);
  prompt.append_grad("Rewrite it.");
  optim::TGD optimizer({prompt}, options);
  const double took = bench::seconds([&] { optimizer.step(); });
  fmt::print("{:<52} {:>8.1f} ms, {} words changed\n", "a step that rewrites a value of 10,000 words", took * 1e3,
             optimizer.last_updates()[0].edit_distance);
}

}  // namespace

int main() {
  report(fmt::format("a step over {} parameters", parameters), step_seconds(0), 1);
  report("the same, every tenth asked again", step_seconds(10), 2);
  own_work();
  edit_distance();
}
