// ScoreTable: what each version of the parameters scored on each batch of the validation data. What stands there is never
// measured again; validation, the race of first proposals, the gate and the search all read and fill it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tgd/trainer.hpp>

#include "train/tally.hpp"

namespace tgd::detail {

class ScoreTable {
 public:
  /// A name for values of parameters.
  static std::string version_of(const std::vector<Variable>& parameters);

  const Scores* find(const std::string& version, std::size_t batch) const;
  void set(const std::string& version, std::size_t batch, Scores scores);
  /// Of those of the batches that are there, in the order given.
  Scores known(const std::string& version, std::span<const std::size_t> batches) const;
  /// Sample by sample, of those of the batches that both have; above 0 where `after` is better.
  std::vector<double> gains(const std::string& before, const std::string& after, std::span<const std::size_t> batches,
                            bool higher_is_better) const;
  /// Forgets all but one version.
  void keep_only(const std::string& version);
  void clear() { versions_.clear(); }

  /// How many there are, once somebody has seen them all.
  std::optional<std::size_t> count = {};

  using Batches = std::map<std::size_t, Scores>;
  const std::map<std::string, Batches>& versions() const noexcept { return versions_; }

 private:
  std::map<std::string, Batches> versions_;
};

/// The validation data as the searches see it: batches in an order, measured with the present values where they are not known.
class Validation {
 public:
  /// All batches in their own order.
  Validation(const Trainee& trainee, const Pass& pass, ScoreTable& table);
  /// In the order of a seed, without so many samples at its end, which are kept apart. Throws ValueError for a loader of
  /// unknown length.
  void shuffle(std::uint64_t seed, std::size_t apart);

  /// Of the present values on all batches: measured at once, as far as they are not known.
  Scores measure();
  /// The same on the first batches that have so many samples. Batches that came before an error are in the table.
  Scores measure_first(std::size_t samples);
  /// What is known of the present values on all batches.
  Scores known() const;
  bool is_known() const;
  /// The same on the samples that are kept apart.
  Scores measure_apart();

  /// How many samples there are, and are kept apart; how many of the former the present values lack. After some version was measured.
  std::size_t samples() const { return samples_of(all()); }
  std::size_t samples_apart() const { return samples_of(apart_); }
  /// Of all data, as far as that is known.
  std::size_t samples_of_loader() const { return std::max(pass_.samples, samples() + samples_apart()); }
  std::size_t missing() const { return missing_of(all()); }

  std::string version() const;
  /// Of one version over another, on all batches that both were measured on.
  std::vector<double> gains(const std::string& before, const std::string& after, bool higher_is_better) const {
    return table_.gains(before, after, all(), higher_is_better);
  }
  std::vector<double> gains_apart(const std::string& before, const std::string& after, bool higher_is_better) const {
    return table_.gains(before, after, apart_, higher_is_better);
  }

 private:
  std::vector<std::size_t> first(std::size_t samples) const;
  std::vector<std::size_t> all() const;
  std::size_t size_of(std::size_t batch) const;
  std::size_t samples_of(std::span<const std::size_t> batches) const;
  std::size_t missing_of(std::span<const std::size_t> batches) const;
  void note(const std::string& of, std::size_t batch, Scores scores);
  Scores measure_some(const std::vector<std::size_t>& batches);

  const Trainee& trainee_;
  const Pass& pass_;
  ScoreTable& table_;
  std::map<std::size_t, std::size_t> sizes_;  // samples of a batch, where that is known
  std::vector<std::size_t> order_;            // empty: that of the loader
  std::vector<std::size_t> apart_;
};

}  // namespace tgd::detail
