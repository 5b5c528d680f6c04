// A small optimization by hand for the tests of the simulated model: tgd's own prompts, plain requests, no graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tgd/lm/simulated.hpp>
#include <tgd/prompts.hpp>

namespace tgd::test {

struct Sample {
  std::string text;
  std::string label;
};

lm::Request task_request(const std::string& prompt, const std::string& message);

/// A failed conversation as the backward pass shows it.
std::string failed_sample(const Sample& sample, const std::string& reply);
lm::Request critique_request(const std::string& value, const std::vector<std::string>& failed_samples);

struct Rewrite {
  std::string value;
  std::vector<std::string> feedback = {};
  std::vector<std::string> constraints = {};
  struct Version {
    std::string value;
    std::string feedback;
  };
  std::vector<Version> earlier = {};
  std::vector<std::string> rejected = {};  // values
  std::string boldness = {};               // the sentence
};
lm::Request rewrite_request(const Rewrite& rewrite);
/// What stands between the tags of a reply; empty when they are missing.
std::string improved_value(const std::string& reply);

struct LoopOptions {
  std::size_t epochs = 3;
  std::size_t batch_size = 16;
  std::size_t momentum = 3;
  bool gives_feedback = true;
};

/// Optimizes the prompt on `train`: forward, exact match, critique, rewrite, batch by batch.
std::string optimized(const lm::Simulated& model, const std::string& prompt, std::vector<Sample> train, std::uint64_t seed,
                      const LoopOptions& options = {});

/// The share of samples that get the right reply.
double accuracy(const lm::Simulated& model, const std::string& prompt, const std::vector<Sample>& samples);

/// Shuffles in the same way on every platform.
void shuffle(std::vector<Sample>& samples, std::uint64_t seed);

}  // namespace tgd::test
