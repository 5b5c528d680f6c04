// Usage and cost per model and in total, added up from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/lm/prices.hpp>

namespace tgd::lm {

/// What the calls to one model used and cost. A value type; sums saturate.
struct ModelCost {
  Usage usage = {};                ///< failed attempts included
  std::int64_t failed = 0;         ///< calls that ended with an error
  Cost cost = {};                  ///< of the calls whose cost is known
  std::int64_t unknown_calls = 0;  ///< calls whose cost is not: no price, or the endpoint gave no token figures
  bool has_price = false;

  ModelCost& operator+=(const ModelCost& other);
  friend bool operator==(const ModelCost&, const ModelCost&) = default;
};

/// What calls used and cost, by model and in total. A value type.
struct TGD_API CostReport {
  std::map<std::string, ModelCost> models;  ///< by the name that was asked for

  ModelCost total() const;
  /// What everything cost; nothing when a part of it is unknown.
  std::optional<Cost> cost() const;
  /// The models that have no price.
  std::vector<std::string> unknown_models() const;

  /// A table for people, a line a model.
  std::string text() const;
  /// {"models": {name: {"usage", "failed", "cost_usd", "unknown_calls"}}, "total": {the same}, "unknown_models": [...]};
  /// "cost_usd" is null where a part of it is unknown.
  Json to_json() const;
};

/// Usage and cost per model and in total, added up from any thread. Sums are exact: the order of calls does not matter.
/// Thread-safety: every member of CostMeter may be called from any thread; the rest are value types.
class TGD_API CostMeter {
 public:
  explicit CostMeter(PriceTable prices = {});

  /// Counts one call and returns what it cost (call_cost()); nothing when that is unknown. A refused call is not counted.
  std::optional<Cost> add(const std::string& model, const Outcome& outcome);

  CostReport report() const;
  const PriceTable& prices() const noexcept { return prices_; }

 private:
  const PriceTable prices_;
  mutable std::mutex mutex_;
  CostReport report_;
};

/// What one call cost: what its receipt says, or else by these prices. A call that sent nothing (Receipt::sent()) costs 0; a
/// reply without token figures has an unknown cost unless the model is free; a failed call costs what the endpoint reported.
/// `model`: the name that was asked for. The name in the reply is used where there is no price for it.
TGD_API std::optional<Cost> call_cost(const PriceTable& prices, const std::string& model, const Outcome& outcome);
/// Puts that into the receipt, so that all who see the call later read the same.
TGD_API void settle_cost(Outcome& outcome, const PriceTable& prices, const std::string& model);

}  // namespace tgd::lm
