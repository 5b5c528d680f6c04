// Samplers: in which order a DataLoader visits a dataset, epoch after epoch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/random.hpp>

namespace tgd::data {

/// Samplers: in which order a DataLoader visits a dataset, epoch after epoch.
///
/// Every call of next_epoch() draws the order of one more epoch. A sampler with a seed gives the same epochs in every run and
/// on every platform; they differ from one another. Results equal those of CPython's `random` with the same seed.
///
/// Errors: ValueError for weights that cannot be drawn from, more samples than there are, or a state of another sampler.
/// Thread-safety: one thread at a time for each object.
/// Model: torch.utils.data.Sampler.
class TGD_API Sampler {
 public:
  virtual ~Sampler() = default;

  /// How many indices an epoch has.
  virtual std::size_t size() const = 0;
  /// The indices of the next epoch, in order.
  virtual std::vector<std::size_t> next_epoch() = 0;

  /// What the epochs to come depend on, for checkpoints, and back. Without any by default.
  virtual Json state_dict() const { return {}; }
  virtual void load_state_dict(const Json&) {}
};

/// 0, 1, … n - 1 in every epoch.
class TGD_API SequentialSampler final : public Sampler {
 public:
  explicit SequentialSampler(std::size_t n) : n_(n) {}

  std::size_t size() const override { return n_; }
  std::vector<std::size_t> next_epoch() override;

 private:
  std::size_t n_;
};

/// Every index below n once, in random order.
class TGD_API RandomSampler final : public Sampler {
 public:
  explicit RandomSampler(std::size_t n, std::uint64_t seed = 0) : n_(n), random_(seed) {}

  std::size_t size() const override { return n_; }
  std::vector<std::size_t> next_epoch() override;
  Json state_dict() const override { return random_.state(); }
  void load_state_dict(const Json& state) override { random_.set_state(state); }

 private:
  std::size_t n_;
  Random random_;
};

/// `num_samples` indices below weights.size(), index i with a chance in proportion to weights[i]: independent draws with
/// replacement, or one after the other out of those that are left without. An index of weight 0 is never drawn.
class TGD_API WeightedRandomSampler final : public Sampler {
 public:
  WeightedRandomSampler(std::vector<double> weights, std::size_t num_samples, bool replacement = true, std::uint64_t seed = 0);

  std::size_t size() const override { return num_samples_; }
  std::vector<std::size_t> next_epoch() override;
  Json state_dict() const override { return random_.state(); }
  void load_state_dict(const Json& state) override { random_.set_state(state); }

 private:
  std::vector<std::size_t> draw_without_replacement();

  std::vector<double> weights_;
  std::size_t num_samples_;
  bool replacement_;
  Random random_;
};

}  // namespace tgd::data
