#include <tgd/lm/budgeted.hpp>

#include <utility>

namespace tgd::lm {

Budgeted::Budgeted(ChatModelPtr model, std::shared_ptr<Budget> budget)
    : CallDecorator(std::move(model)), budget_(std::move(budget)) {
  if (!budget_) throw ValueError("Budgeted needs a budget, but it was given none");
}

void Budgeted::start_call(Call call, OnText on_text, Done done) {
  Budget::Amount reserved;
  try {
    reserved = budget_->reserve(call.model(), call.request());
  } catch (...) {
    return done(std::current_exception());
  }
  auto settle = [budget = budget_, model = call.model(), reserved, done = std::move(done)](Outcome outcome) {
    budget->settle(model, reserved, outcome);
    done(std::move(outcome));
  };
  inner().start_call(std::move(call), std::move(on_text), std::move(settle));
}

}  // namespace tgd::lm
