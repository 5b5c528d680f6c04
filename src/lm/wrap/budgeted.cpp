#include <tgd/lm/budgeted.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace tgd::lm {

Budgeted::Budgeted(ChatModelPtr model, std::shared_ptr<Budget> budget)
    : CallDecorator(std::move(model)), budget_(std::move(budget)) {
  if (!budget_) throw ValueError("Budgeted needs a budget, but it was given none");
}

/// A call that may have to wait for others; its models live as long.
struct Budgeted::Begun {
  ChatModelPtr inner;
  std::shared_ptr<Budget> budget;
  Call call;
  OnText on_text;
  Done done;
};

void Budgeted::start_call(Call call, OnText on_text, Done done) {
  begin(std::make_shared<Begun>(Begun{inner_model(), budget_, std::move(call), std::move(on_text), std::move(done)}));
}

void Budgeted::begin(const std::shared_ptr<Begun>& begun) {
  std::optional<Budget::Amount> reserved;
  try {
    reserved = begun->budget->reserve(begun->call.model(), begun->call.request(), [begun] { begin(begun); });
  } catch (...) {
    return begun->done(std::current_exception());
  }
  if (!reserved) return;  // until calls in flight are back
  auto settle = [budget = begun->budget, model = begun->call.model(), amount = *reserved,
                 done = std::move(begun->done)](Outcome outcome) {
    const auto waiting = budget->settle(model, amount, outcome);
    done(std::move(outcome));
    for (const auto& again : waiting) again();
  };
  begun->inner->start_call(std::move(begun->call), std::move(begun->on_text), std::move(settle));
}

}  // namespace tgd::lm
