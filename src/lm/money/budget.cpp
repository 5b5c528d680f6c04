#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <tgd/error.hpp>
#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/tokens.hpp>

#include "core/counted.hpp"
#include "core/saturating.hpp"
#include "core/seconds.hpp"
#include "lm/money/call_counts.hpp"
#include "lm/request_key.hpp"

namespace tgd::lm {

using tgd::detail::saturated_difference;
using tgd::detail::saturated_sum;

namespace {

template <class Number>
void expect_amount(const char* name, const std::optional<Number>& limit) {
  if (limit && !(*limit >= 0))
    throw ValueError(fmt::format("the budget's limit of {} is {}; it must not be negative", name, *limit));
}

void expect_seconds(const std::optional<double>& limit) {
  if (limit && *limit > 0) static_cast<void>(tgd::detail::span_of_seconds(*limit, "the budget's limit of time"));
}

BudgetOptions checked(BudgetOptions options) {
  const BudgetLimits& limits = options.limits;
  expect_amount("calls", limits.calls);
  expect_amount("prompt tokens", limits.prompt_tokens);
  expect_amount("completion tokens", limits.completion_tokens);
  expect_amount("USD", limits.usd);
  expect_amount("seconds", limits.seconds);
  expect_seconds(limits.seconds);
  expect_amount("expected completion tokens", std::optional(options.expected_completion_tokens));
  return options;
}

std::optional<Cost> cost_limit(const BudgetLimits& limits) {
  if (!limits.usd) return std::nullopt;
  return Cost::from_usd(std::min(*limits.usd, 9e6));
}

std::int64_t minus(std::int64_t a, std::int64_t b) { return saturated_difference(a, b); }
Cost minus(Cost a, Cost b) { return a - b; }
double minus(double a, double b) { return a - b; }

template <class Number>
std::optional<Number> left(const std::optional<Number>& limit, Number spent, Number reserved) {
  if (!limit) return std::nullopt;
  return std::max(Number(), minus(minus(*limit, spent), reserved));
}

template <class Number>
bool fits(const std::optional<Number>& left, Number needed) {
  return !left || needed <= *left;
}

void add_unknown(std::vector<std::string>& models, const std::string& model) {
  if (std::find(models.begin(), models.end(), model) == models.end()) models.push_back(model);
}

}  // namespace

std::string Spending::text() const {
  std::string text =
      fmt::format("{}, {}, {}", tgd::detail::counted(calls, "call"), tgd::detail::counted(prompt_tokens, "prompt token"),
                  tgd::detail::counted(completion_tokens, "completion token"));
  if (cost != Cost() || unknown_models.empty()) text += ", " + cost.text();
  if (!unknown_models.empty()) text += fmt::format(", unknown cost of {}", fmt::join(unknown_models, ", "));
  return text;
}

std::string Remaining::text() const {
  std::vector<std::string> parts;
  if (calls) parts.push_back(tgd::detail::counted(*calls, "call"));
  if (prompt_tokens) parts.push_back(tgd::detail::counted(*prompt_tokens, "prompt token"));
  if (completion_tokens) parts.push_back(tgd::detail::counted(*completion_tokens, "completion token"));
  if (cost) parts.push_back(cost->text());
  if (seconds) parts.push_back(fmt::format("{:.1f} seconds", *seconds));
  return parts.empty() ? "no limit" : fmt::format("{}", fmt::join(parts, ", "));
}

Budget::Amount& Budget::Amount::operator+=(const Amount& other) {
  calls = saturated_sum(calls, other.calls);
  prompt_tokens = saturated_sum(prompt_tokens, other.prompt_tokens);
  completion_tokens = saturated_sum(completion_tokens, other.completion_tokens);
  cost += other.cost;
  return *this;
}

Budget::Amount& Budget::Amount::operator-=(const Amount& other) {
  // A sum that stayed at its limit must not come out below nothing.
  const auto less = [](std::int64_t a, std::int64_t b) { return std::max<std::int64_t>(0, saturated_difference(a, b)); };
  calls = less(calls, other.calls);
  prompt_tokens = less(prompt_tokens, other.prompt_tokens);
  completion_tokens = less(completion_tokens, other.completion_tokens);
  cost = std::max(Cost(), cost - other.cost);
  return *this;
}

Budget::Budget(BudgetOptions options) : options_(checked(std::move(options))), cost_limit_(cost_limit(options_.limits)) {}

Spending Budget::spent() const {
  const std::lock_guard lock(mutex_);
  return {spent_.calls, spent_.prompt_tokens, spent_.completion_tokens, spent_.cost, unknown_models_, elapsed_locked()};
}

Remaining Budget::remaining() const {
  const std::lock_guard lock(mutex_);
  return remaining_locked();
}

std::int64_t Budget::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

Spending Budget::estimate(const ChatModel& model, std::span<const Request> requests) const {
  Amount sum;
  std::vector<std::string> unknown;
  for (const Request& request : requests) {
    const std::string name = detail::requested_model(model.model_name(), request);
    sum += needed(name, request);
    if (!options_.prices.find(name)) add_unknown(unknown, name);
  }
  return {sum.calls, sum.prompt_tokens, sum.completion_tokens, sum.cost, std::move(unknown), 0};
}

Budget::Amount Budget::needed(const std::string& model, const Request& request) const {
  const auto& estimate = options_.estimate_prompt_tokens;
  Amount amount{.calls = 1};
  amount.prompt_tokens = std::max<std::int64_t>(0, estimate ? estimate(request) : estimate_prompt_tokens(request));
  amount.completion_tokens = expected_completion_tokens(request, options_.expected_completion_tokens);
  const Usage usage{.prompt_tokens = amount.prompt_tokens, .completion_tokens = amount.completion_tokens};
  amount.cost = options_.prices.cost(model, usage).value_or(Cost());
  return amount;
}

void Budget::expect_price(const std::string& model) const {
  if (!cost_limit_ || options_.prices.find(model)) return;
  throw BudgetError(fmt::format(
      "the call was not sent: the budget is limited in USD, and the price of the model \"{}\" is not known. "
      "Give it in BudgetOptions::prices, with PriceTable::set(\"{}\", {{.input = ..., .output = ...}}), with a file "
      "(PriceTable::load), or as Price::free() for a model that costs nothing",
      model, model));
}

std::optional<Budget::Amount> Budget::reserve(const std::string& model, const Request& request,
                                              const std::function<void()>& again) {
  const Amount amount = needed(model, request);
  const std::lock_guard lock(mutex_);
  try {
    expect_price(model);
    const auto has_room = [&](const Remaining& rest) {
      return fits(rest.prompt_tokens, amount.prompt_tokens) && fits(rest.completion_tokens, amount.completion_tokens) &&
             fits(rest.cost, amount.cost);
    };
    const Remaining rest = remaining_locked();
    const bool in_time = !rest.seconds || *rest.seconds > 0;
    const bool may_call = in_time && fits(rest.calls, amount.calls);
    if (!may_call || !has_room(rest)) {
      // Calls come back as calls, tokens and USD mostly for less.
      if (may_call && reserved_.calls > 0 && has_room(remaining_with(Amount()))) {
        waiting_.push_back(again);
        return std::nullopt;
      }
      throw BudgetError(fmt::format(
          "the call was not sent: the budget has {} left{}, and this call would need about {} prompt tokens, {} "
          "completion tokens and {}",
          rest.text(),
          reserved_.calls == 0 ? "" : fmt::format(" (besides {} in flight)", tgd::detail::counted(reserved_.calls, "call")),
          amount.prompt_tokens, amount.completion_tokens,
          options_.prices.find(model) ? amount.cost.text() : "an unknown cost"));
    }
  } catch (const BudgetError&) {
    ++refused_;
    throw;
  }
  if (!begin_) begin_ = std::chrono::steady_clock::now();
  reserved_ += amount;
  return amount;
}

Budget::Amount Budget::used(const std::string& model, const Receipt& receipt, const Amount& reserved) const {
  const Usage& usage = receipt.usage;
  if (!receipt.sent()) return {};
  const auto figure = [](std::int64_t tokens) { return std::max<std::int64_t>(0, tokens); };
  Amount amount{1, figure(usage.counted_prompt_tokens()), figure(usage.counted_completion_tokens()),
                receipt.cost.value_or(Cost())};
  if (!receipt.end || usage.reported > 0) return amount;
  // A reply without figures has used something all the same: as much as its text looks like, or as was expected of it.
  const bool is_estimated = amount.prompt_tokens > 0 || amount.completion_tokens > 0;
  if (!is_estimated) {
    amount.prompt_tokens = reserved.prompt_tokens;
    amount.completion_tokens = reserved.completion_tokens;
  }
  if (!receipt.cost) {
    const Usage counted{.prompt_tokens = amount.prompt_tokens, .completion_tokens = amount.completion_tokens};
    amount.cost = options_.prices.cost(model, counted).value_or(Cost());
  }
  return amount;
}

std::vector<std::function<void()>> Budget::settle(const std::string& model, const Amount& reserved, Outcome& outcome) {
  settle_cost(outcome, options_.prices, model);
  const Amount amount = detail::was_abandoned(outcome) ? reserved : used(model, outcome.receipt(), reserved);
  const bool unknown = amount.calls > 0 && outcome.usage().priced == 0 && !options_.prices.find(model);
  const std::lock_guard lock(mutex_);
  reserved_ -= reserved;
  spent_ += amount;
  if (unknown) add_unknown(unknown_models_, model);
  return std::exchange(waiting_, {});
}

double Budget::elapsed_locked() const {
  return begin_ ? std::chrono::duration<double>(std::chrono::steady_clock::now() - *begin_).count() : 0.0;
}

Remaining Budget::remaining_locked() const { return remaining_with(reserved_); }

Remaining Budget::remaining_with(const Amount& reserved) const {
  const BudgetLimits& limits = options_.limits;
  return {left(limits.calls, spent_.calls, reserved.calls),
          left(limits.prompt_tokens, spent_.prompt_tokens, reserved.prompt_tokens),
          left(limits.completion_tokens, spent_.completion_tokens, reserved.completion_tokens),
          left(cost_limit_, spent_.cost, reserved.cost), left(limits.seconds, elapsed_locked(), 0.0)};
}

}  // namespace tgd::lm
