#include "train/score_table.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <tgd/random.hpp>

#include "core/digest.hpp"
#include "train/proposal.hpp"

namespace tgd::detail {

std::string ScoreTable::version_of(const std::vector<Variable>& parameters) {
  Digest digest;
  for (const Variable& parameter : parameters) {
    const Data& data = parameter.data();
    digest.add(data.size());
    for (std::size_t i = 0; i < data.size(); ++i) digest.add(data.item_text(i));
  }
  return digest.hex();
}

const Scores* ScoreTable::find(const std::string& version, std::size_t batch) const {
  const auto found = versions_.find(version);
  if (found == versions_.end()) return nullptr;
  const auto scores = found->second.find(batch);
  return scores == found->second.end() ? nullptr : &scores->second;
}

void ScoreTable::set(const std::string& version, std::size_t batch, Scores scores) {
  versions_[version].insert_or_assign(batch, std::move(scores));
}

Scores ScoreTable::known(const std::string& version, std::span<const std::size_t> batches) const {
  Tally tally;
  for (const std::size_t batch : batches) {
    if (const Scores* scores = find(version, batch)) tally.add(*scores);
  }
  return tally.scores();
}

std::vector<double> ScoreTable::gains(const std::string& before, const std::string& after, std::span<const std::size_t> batches,
                                      bool higher_is_better) const {
  std::vector<double> all;
  for (const std::size_t batch : batches) {
    const Scores* first = find(before, batch);
    const Scores* second = find(after, batch);
    if (first == nullptr || second == nullptr) continue;
    const std::vector<double> some = detail::gains(first->samples, second->samples, higher_is_better);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

void ScoreTable::keep_only(const std::string& version) {
  std::erase_if(versions_, [&](const auto& entry) { return entry.first != version; });
}

Validation::Validation(const Trainee& trainee, const Pass& pass, ScoreTable& table)
    : trainee_(trainee), pass_(pass), table_(table) {}

void Validation::shuffle(std::uint64_t seed, std::size_t apart) {
  if (!pass_.batches)
    throw ValueError("TrainerOptions::search tries samples in an order of its own: it needs a validation loader with size()");
  std::size_t number = 0;
  pass_.each(0, [&](const BatchStep& batch) {
    sizes_[number++] = batch.samples;
    return true;
  });
  order_.resize(number);
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  Random(seed).shuffle(order_);
  const std::size_t most = std::min(apart, samples_of(order_) / 2);
  while (!order_.empty() && samples_of(apart_) + size_of(order_.back()) <= most) {
    apart_.push_back(order_.back());
    order_.pop_back();
  }
}

std::vector<std::size_t> Validation::all() const {
  if (!order_.empty() || !apart_.empty()) return order_;
  std::vector<std::size_t> all(table_.count.value_or(pass_.batches.value_or(0)));
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

std::size_t Validation::size_of(std::size_t batch) const {
  if (const auto size = sizes_.find(batch); size != sizes_.end()) return size->second;
  for (const auto& version : table_.versions()) {
    if (const Scores* scores = table_.find(version.first, batch)) return scores->means.samples;
  }
  return 0;
}

std::size_t Validation::samples_of(std::span<const std::size_t> batches) const {
  return std::accumulate(batches.begin(), batches.end(), std::size_t{0},
                         [this](std::size_t sum, std::size_t batch) { return sum + size_of(batch); });
}

std::size_t Validation::missing_of(std::span<const std::size_t> batches) const {
  const std::string own = version();
  std::size_t missing = 0;
  for (const std::size_t batch : batches) missing += table_.find(own, batch) == nullptr ? size_of(batch) : 0;
  return missing;
}

std::vector<std::size_t> Validation::first(std::size_t samples) const {
  std::vector<std::size_t> batches;
  std::size_t reached = 0;
  for (const std::size_t batch : all()) {
    if (reached >= samples) break;
    batches.push_back(batch);
    reached += size_of(batch);
  }
  return batches;
}

bool Validation::is_known() const {
  const std::vector<std::size_t> batches = all();
  const std::string own = version();
  return (pass_.batches || table_.count) &&
         std::all_of(batches.begin(), batches.end(), [&](std::size_t batch) { return table_.find(own, batch) != nullptr; });
}

Scores Validation::measure() {
  if (pass_.batches || table_.count) return measure_some(all());
  const std::string own = version();
  table_.count = run_batches(
      trainee_.set_mode, pass_, 0, [](std::size_t) { return Choice::run; },
      [&](std::size_t batch, Scores scores) { note(own, batch, std::move(scores)); });
  trainee_.set_mode(true);
  return known();
}

Scores Validation::measure_first(std::size_t samples) { return measure_some(first(samples)); }
Scores Validation::measure_apart() { return measure_some(apart_); }
Scores Validation::known() const { return table_.known(version(), all()); }
std::string Validation::version() const { return ScoreTable::version_of(parameters_of(trainee_)); }

void Validation::note(const std::string& of, std::size_t batch, Scores scores) {
  sizes_[batch] = scores.means.samples;
  table_.set(of, batch, std::move(scores));
}

Scores Validation::measure_some(const std::vector<std::size_t>& batches) {
  const std::string own = version();
  std::set<std::size_t> missing;
  for (const std::size_t batch : batches) {
    if (table_.find(own, batch) == nullptr) missing.insert(batch);
  }
  if (missing.empty()) return table_.known(own, batches);
  const std::set<std::size_t> wanted = missing;
  const auto choose = [&](std::size_t batch) {
    return wanted.contains(batch) ? Choice::run : batch > *wanted.rbegin() ? Choice::end : Choice::skip;
  };
  run_batches(trainee_.set_mode, pass_, *wanted.begin(), choose, [&](std::size_t batch, Scores scores) {
    note(own, batch, std::move(scores));
    missing.erase(batch);
  });
  // What the step has skipped is no batch of the data.
  for (const std::size_t batch : missing) note(own, batch, {});
  trainee_.set_mode(true);
  return table_.known(own, batches);
}

}  // namespace tgd::detail
