// Adds up the scores of batches by sample.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <tgd/trainer.hpp>

namespace tgd::detail {

/// Means, and the score of each sample in order; none where some evaluator gave a sum only.
struct Scores {
  Metrics means = {};
  std::vector<double> samples = {};
};

class Tally {
 public:
  void add(std::size_t samples, const StepResult& result);
  Scores scores() const;

 private:
  Metrics sum_;
  std::vector<double> samples_;
};

/// The scores over a pass, without gradients and in eval mode. All batches are started before anything is read.
Scores measure(const std::function<void(bool)>& set_mode, const Pass& pass);

}  // namespace tgd::detail
