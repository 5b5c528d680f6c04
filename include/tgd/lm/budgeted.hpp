// Budgeted: refuses calls that a budget has no room for, before they are sent.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tgd/lm/decorator.hpp>
#include <tgd/lm/prices.hpp>

namespace tgd::lm {

/// What is not given is not limited.
struct BudgetLimits {
  std::optional<std::int64_t> calls = {};
  std::optional<std::int64_t> prompt_tokens = {};
  std::optional<std::int64_t> completion_tokens = {};
  std::optional<double> usd = {};
  /// From the first call on. Calls that are on their way then are not cut off; give requests a deadline for that.
  std::optional<double> seconds = {};
};

/// What may be spent, and how it is priced.
struct BudgetOptions {
  BudgetLimits limits = {};
  PriceTable prices = {};
  /// What a reply is taken to have when its request sets no limit ("max_completion_tokens", "max_tokens").
  std::int64_t expected_completion_tokens = 500;
  /// Instead of estimate_prompt_tokens(). Called from any thread.
  std::function<std::int64_t(const Request&)> estimate_prompt_tokens = {};
};

/// What calls would use or have used.
struct TGD_API Spending {
  std::int64_t calls = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  Cost cost = {};                                ///< of the calls whose price is known
  std::vector<std::string> unknown_models = {};  ///< without a price, in order of appearance; their calls are not in `cost`
  double seconds = 0;                            ///< since the first call

  /// "12 calls, 3400 prompt tokens, 6000 completion tokens, $0.0123", and the models without a price.
  std::string text() const;
};

/// What is left, calls in flight taken away as they were estimated. Nothing where there is no limit; never less than 0.
struct TGD_API Remaining {
  std::optional<std::int64_t> calls = {};
  std::optional<std::int64_t> prompt_tokens = {};
  std::optional<std::int64_t> completion_tokens = {};
  std::optional<Cost> cost = {};
  std::optional<double> seconds = {};

  /// "88 calls, $19.99"; "no limit".
  std::string text() const;
};

/// What calls may use, shared by any number of models: reservations, spending and what is left. Every member may be called from
/// any thread.
class TGD_API Budget {
 public:
  /// Throws ValueError for a limit that is negative or no number.
  explicit Budget(BudgetOptions options);

  /// What was used so far, without what is reserved.
  Spending spent() const;
  Remaining remaining() const;
  /// How many calls the budget has refused.
  std::int64_t refused() const;
  /// What these requests would use, by estimate.
  Spending estimate(const ChatModel& model, std::span<const Request> requests) const;

  const BudgetOptions& options() const noexcept { return options_; }

 private:
  friend class Budgeted;

  struct Amount {
    std::int64_t calls = 0;
    std::int64_t prompt_tokens = 0;
    std::int64_t completion_tokens = 0;
    Cost cost = {};

    Amount& operator+=(const Amount& other);
    Amount& operator-=(const Amount& other);
  };

  Amount used(const std::string& model, const Receipt& receipt, const Amount& reserved) const;
  Amount needed(const std::string& model, const Request& request) const;
  /// Throws BudgetError when there is no room. Nothing: there may be when calls in flight are back; then `again` is called.
  std::optional<Amount> reserve(const std::string& model, const Request& request, const std::function<void()>& again);
  /// Settles what the call cost as well, where that is not decided yet.
  /// Returns whom to ask again, who waited for that.
  std::vector<std::function<void()>> settle(const std::string& model, const Amount& reserved, Outcome& outcome);
  void expect_price(const std::string& model) const;
  Remaining remaining_locked() const;
  Remaining remaining_with(const Amount& reserved) const;
  double elapsed_locked() const;

  const BudgetOptions options_;
  const std::optional<Cost> cost_limit_;
  mutable std::mutex mutex_;
  Amount spent_;
  Amount reserved_;
  std::vector<std::function<void()>> waiting_;
  std::int64_t refused_ = 0;
  std::vector<std::string> unknown_models_;
  std::optional<std::chrono::steady_clock::time_point> begin_;
};

/// Refuses calls that a budget has no room for, before they are sent.
///
///     auto budget = std::make_shared<lm::Budget>(lm::BudgetOptions{.limits = {.calls = 5000, .usd = 20.0}});
///     auto student = std::make_shared<lm::Budgeted>(small, budget);
///     auto teacher = std::make_shared<lm::Budgeted>(large, budget);      // one budget for both
///     std::cout << student->estimate(requests).text();                   // before the run
///
/// Each call reserves its place before it is sent and settles with what it has really used, so that concurrent calls share what
/// is left: the number of calls is never exceeded. Tokens and USD are reserved by estimate, so that they can be exceeded by the
/// errors of the estimates of the calls in flight, and no further call is sent then. A call that would fit if
/// calls in flight came back for less than they reserved waits for them, and is sent or refused when they are back.
///
/// What counts: a call that was sent (Receipt::sent()), once with all its retries; the tokens and USD that the endpoint
/// reported for it, or the estimate when a reply came without figures or the call was cancelled on its way.
///
/// Errors: a refused call ends with a BudgetError that says what is left and what it would have needed; with a limit in USD
/// also a call to a model whose price is not known.
/// Thread-safety: every member of Budget and Budgeted may be called from any thread.
class TGD_API Budgeted : public CallDecorator {
 public:
  /// Throws ValueError without a model or a budget.
  Budgeted(ChatModelPtr model, std::shared_ptr<Budget> budget);

  void start_call(Call call, OnText on_text, Done done) override;

  /// What these requests would use, by estimate. Sends nothing.
  Spending estimate(std::span<const Request> requests) const { return budget_->estimate(inner(), requests); }
  const std::shared_ptr<Budget>& budget() const noexcept { return budget_; }

 private:
  struct Begun;
  static void begin(const std::shared_ptr<Begun>& begun);

  std::shared_ptr<Budget> budget_;
};

}  // namespace tgd::lm
