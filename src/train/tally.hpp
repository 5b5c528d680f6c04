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

/// The scores over a pass, without gradients and in eval mode. All batches are started before anything is read; of a pass of
/// unknown length, which need not fit into memory, a batch waits for the earlier ones once a thousand samples are on their way.
Scores measure(const std::function<void(bool)>& set_mode, const Pass& pass);

}  // namespace tgd::detail
