// The simulated model learns: a first prompt gets better by its own critiques and rewrites, on three unrelated tasks.
#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/simulated_loop.hpp"

using namespace tgd;
using test::LoopOptions;
using test::Sample;

namespace {

std::vector<Sample> tickets() {
  std::ifstream file(TGD_TEST_SOURCE_DIR "/../examples/tickets/tickets.jsonl");
  std::vector<Sample> samples;
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json record = nlohmann::json::parse(line);
    samples.push_back({record["text"], record["label"]});
  }
  return samples;
}

// Every sentence with every word of its label, so that a tiny vocabulary gives a set that can be split.
std::vector<Sample> combined(const std::map<std::string, std::vector<std::string>>& words,
                             const std::vector<std::string>& sentences) {
  std::vector<Sample> samples;
  for (const auto& [label, vocabulary] : words) {
    for (const std::string& word : vocabulary) {
      for (const std::string& sentence : sentences) {
        const std::size_t gap = sentence.find('*');
        samples.push_back({std::string(sentence).replace(gap, 1, word), label});
      }
    }
  }
  return samples;
}

struct Result {
  double before;
  double after;
  double gain() const { return after - before; }
};

// Learns on the first part of the shuffled samples and counts right replies on the rest.
Result learn(std::vector<Sample> samples, std::size_t train_size, const std::string& prompt, std::uint64_t seed,
             const LoopOptions& options = {}) {
  test::shuffle(samples, seed);
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(train_size);
  const std::vector<Sample> train(samples.begin(), middle);
  const std::vector<Sample> rest(middle, samples.end());
  const lm::Simulated model({.seed = seed});
  const std::string learned = test::optimized(model, prompt, train, seed, options);
  return {test::accuracy(model, prompt, rest), test::accuracy(model, learned, rest)};
}

const std::string first_ticket_prompt =
    "You sort messages from customers of a small web shop. Read the message and say what it is about: billing, technical, "
    "shipping, account or cancellation.";

}  // namespace

TEST_CASE("The loop learns to sort tickets, by feedback and better with momentum", "[lm][simulated][outcome]") {
  const std::vector<Sample> samples = tickets();
  REQUIRE(samples.size() >= 200);
  constexpr std::uint64_t seeds = 6;
  double before = 0, after = 0, after_without_momentum = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    CAPTURE(seed);
    const Result full = learn(samples, 80, first_ticket_prompt, seed);
    before += full.before / seeds;
    after += full.after / seeds;
    CHECK(full.gain() >= 0.2);
    CHECK(full.after < 0.97);
    after_without_momentum += learn(samples, 80, first_ticket_prompt, seed, {.momentum = 0}).after / seeds;
    CHECK(learn(samples, 80, first_ticket_prompt, seed, {.epochs = 1, .gives_feedback = false}).gain() == 0.0);
  }
  CHECK(before > 0.15);
  CHECK(before < 0.5);
  CHECK(after > 0.6);
  CHECK(after - after_without_momentum >= 0.03);
}

TEST_CASE("The loop learns another task with labels that the prompt does not know", "[lm][simulated][outcome]") {
  const std::vector<Sample> samples =
      combined({{"hot drink", {"espresso", "camomile tea", "cocoa", "cappuccino"}},
                {"cold dish", {"gazpacho", "potato salad", "carpaccio", "sorbet"}},
                {"bakery", {"croissant", "sourdough loaf", "pretzel", "bagel"}}},
               {"I would like the *", "Is the * ready?", "My brother spilled his * on the table", "One *, to take away",
                "The * was superb", "Bring a * for the lady", "No * for me", "He had ordered a *", "Which * do you recommend?",
                "A * with a spoon"});
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    CAPTURE(seed);
    const Result result = learn(samples, 50, "Sort each order of a guest by its label.", seed);
    CHECK(result.before < 0.1);
    CHECK(result.after > 0.65);
  }
}

TEST_CASE("The loop learns the sentiment of reviews", "[lm][simulated][outcome]") {
  const std::vector<Sample> samples =
      combined({{"positive", {"wonderful", "gripping", "charming", "delightful", "brilliant"}},
                {"negative", {"tedious", "dreadful", "clumsy", "boring", "shallow"}}},
               {"A * film.", "The second act is *", "What a * performance", "I found it *!", "The music was * all the way",
                "My wife calls it *", "* from start to end", "So * that we talked of it for a week", "Its * ending",
                "Never saw such a * plot", "The songs are *", "Somewhat * dialogues", "A * sequel"});
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    CAPTURE(seed);
    const Result result = learn(samples, 50, "Decide whether the review is positive or negative.", seed);
    CHECK(result.before < 0.7);
    CHECK(result.after > 0.85);
  }
}
