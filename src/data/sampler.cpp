#include <tgd/data/sampler.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <tgd/error.hpp>

namespace tgd::data {

std::vector<std::size_t> SequentialSampler::next_epoch() {
  std::vector<std::size_t> indices(n_);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return indices;
}

std::vector<std::size_t> RandomSampler::next_epoch() { return random_.sample(n_, n_); }

WeightedRandomSampler::WeightedRandomSampler(std::vector<double> weights, std::size_t num_samples, bool replacement,
                                             std::uint64_t seed)
    : weights_(std::move(weights)), num_samples_(num_samples), replacement_(replacement), random_(seed) {
  Random().choices(weights_, 0);  // drawing nothing checks the weights
  const auto drawable = static_cast<std::size_t>(std::ranges::count_if(weights_, [](double weight) { return weight > 0; }));
  if (!replacement_ && num_samples_ > drawable) {
    throw ValueError(
        fmt::format("cannot draw {} samples without replacement: only {} of the {} weights are above 0; draw fewer or with "
                    "replacement",
                    num_samples_, drawable, weights_.size()));
  }
}

std::vector<std::size_t> WeightedRandomSampler::next_epoch() {
  return replacement_ ? random_.choices(weights_, num_samples_) : draw_without_replacement();
}

/// Draws with replacement whose repetitions are dropped are draws without replacement. What is taken loses its weight
/// between the rounds, so that few rounds are needed however uneven the weights are.
std::vector<std::size_t> WeightedRandomSampler::draw_without_replacement() {
  std::vector<double> weights = weights_;
  std::vector<std::size_t> indices;
  indices.reserve(num_samples_);
  while (indices.size() < num_samples_) {
    for (const std::size_t index : random_.choices(weights, num_samples_ - indices.size())) {
      if (weights[index] == 0) continue;
      weights[index] = 0;
      indices.push_back(index);
    }
  }
  return indices;
}

}  // namespace tgd::data
