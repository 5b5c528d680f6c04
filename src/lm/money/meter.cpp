#include <tgd/lm/cost_meter.hpp>

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "core/saturating.hpp"
#include "lm/money/call_counts.hpp"

namespace tgd::lm {

namespace {

using Value = nlohmann::ordered_json;

std::optional<Price> price_of(const PriceTable& prices, const std::string& model, const Outcome& outcome) {
  std::optional<Price> price = prices.find(model);
  if (!price && outcome.ok()) price = prices.find(outcome.value().model);
  return price;
}

std::optional<Cost> cost_of(const std::optional<Price>& price, const Receipt& receipt) {
  if (receipt.cost) return receipt.cost;
  if (!receipt.sent()) return Cost();
  // What the endpoint itself charged goes before any list.
  if (receipt.usage.priced > 0) return Cost::from_pico_usd(receipt.usage.cost_pico_usd);
  if (!price) return std::nullopt;
  if (receipt.end && receipt.usage.reported == 0 && !price->is_free()) return std::nullopt;
  return cost(*price, receipt.usage);
}

std::string cost_text(const ModelCost& model) {
  if (model.unknown_calls == 0) return model.cost.text();
  if (model.cost == Cost()) return "unknown";
  return model.cost.text() + " + unknown";
}

Value to_value(const ModelCost& model) {
  return {{"usage", model.usage.to_json().value()},
          {"failed", model.failed},
          {"cost_usd", model.unknown_calls == 0 ? Value(model.cost.usd()) : Value()},
          {"unknown_calls", model.unknown_calls}};
}

std::string row(const std::string& name, std::size_t width, const ModelCost& model) {
  const Usage& usage = model.usage;
  return fmt::format("{:<{}} {:>8} {:>8} {:>7} {:>12} {:>12} {:>12}  {}\n", name, width, usage.calls, usage.attempts,
                     model.failed, usage.prompt_tokens, usage.cached_prompt_tokens, usage.completion_tokens, cost_text(model));
}

}  // namespace

ModelCost& ModelCost::operator+=(const ModelCost& other) {
  usage += other.usage;
  failed = tgd::detail::saturated_sum(failed, other.failed);
  cost += other.cost;
  unknown_calls = tgd::detail::saturated_sum(unknown_calls, other.unknown_calls);
  has_price = has_price || other.has_price;
  return *this;
}

ModelCost CostReport::total() const {
  ModelCost total;
  for (const auto& [name, model] : models) total += model;
  return total;
}

std::optional<Cost> CostReport::cost() const {
  const ModelCost sum = total();
  if (sum.unknown_calls > 0) return std::nullopt;
  return sum.cost;
}

std::vector<std::string> CostReport::unknown_models() const {
  std::vector<std::string> names;
  for (const auto& [name, model] : models) {
    if (model.unknown_calls > 0 && !model.has_price) names.push_back(name);
  }
  return names;
}

std::string CostReport::text() const {
  std::size_t width = 5;
  for (const auto& [name, model] : models) width = std::max(width, name.size());
  std::string table = fmt::format("{:<{}} {:>8} {:>8} {:>7} {:>12} {:>12} {:>12}  {}\n", "model", width, "calls", "attempts",
                                  "failed", "tokens in", "of them hit", "tokens out", "cost");
  for (const auto& [name, model] : models) table += row(name, width, model);
  if (models.size() != 1) table += row("total", width, total());
  if (const std::vector<std::string> unknown = unknown_models(); !unknown.empty()) {
    table += fmt::format("no price known for: {}\n", fmt::join(unknown, ", "));
  }
  return table;
}

Json CostReport::to_json() const {
  Value by_name = Value::object();
  for (const auto& [name, model] : models) by_name[name] = to_value(model);
  return Value{{"models", by_name}, {"total", to_value(total())}, {"unknown_models", unknown_models()}};
}

bool detail::was_abandoned(const Outcome& outcome) {
  if (outcome.ok() || !outcome.receipt().sent()) return false;
  try {
    std::rethrow_exception(outcome.error());
  } catch (const LMError& error) {
    return error.kind() == LMError::Kind::cancelled;
  } catch (...) {
    return false;
  }
}

CostMeter::CostMeter(PriceTable prices) : prices_(std::move(prices)) {}

std::optional<Cost> CostMeter::add(const std::string& model, const Outcome& outcome) {
  const std::optional<Price> price = price_of(prices_, model, outcome);
  const std::optional<Cost> cost = cost_of(price, outcome.receipt());
  if (outcome.receipt().refused) return cost;
  ModelCost call = detail::cost_of_call(outcome.usage(), cost, !outcome.ok());
  call.has_price = price.has_value();
  const std::lock_guard lock(mutex_);
  report_.models[model] += call;
  return cost;
}

CostReport CostMeter::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

std::optional<Cost> call_cost(const PriceTable& prices, const std::string& model, const Outcome& outcome) {
  return cost_of(price_of(prices, model, outcome), outcome.receipt());
}

void settle_cost(Outcome& outcome, const PriceTable& prices, const std::string& model) {
  if (outcome.receipt().cost) return;
  Receipt receipt = outcome.receipt();
  receipt.cost = call_cost(prices, model, outcome);
  outcome.set_receipt(receipt);
}

}  // namespace tgd::lm
