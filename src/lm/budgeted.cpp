#include <tgd/lm/budgeted.hpp>

#include <utility>

#include "lm/request_key.hpp"

namespace tgd::lm {

Budgeted::Budgeted(ChatModelPtr model, std::shared_ptr<Budget> budget)
    : Decorator(std::move(model)), budget_(std::move(budget)) {
  if (!budget_) throw ValueError("Budgeted needs a budget, but it was given none");
}

/// The callback that settles the reservation; empty when the call was refused, and then `done` has been called.
ChatModel::Done Budgeted::reserving(const Request& request, Done& done) const {
  std::string name = detail::requested_model(inner(), request);
  Budget::Amount reserved;
  try {
    reserved = budget_->reserve(name, request);
  } catch (...) {
    done(std::current_exception());
    return {};
  }
  return [budget = budget_, name = std::move(name), reserved, done = std::move(done)](Outcome outcome) {
    budget->settle(name, reserved, outcome);
    done(std::move(outcome));
  };
}

void Budgeted::start(Request request, Done done) {
  if (Done settling = reserving(request, done)) inner().start(std::move(request), std::move(settling));
}

void Budgeted::start_stream(Request request, OnText on_text, Done done) {
  if (Done settling = reserving(request, done)) {
    inner().start_stream(std::move(request), std::move(on_text), std::move(settling));
  }
}

}  // namespace tgd::lm
