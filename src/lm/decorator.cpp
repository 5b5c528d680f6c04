#include <tgd/lm/decorator.hpp>

#include <chrono>
#include <optional>

#include "lm/call_source.hpp"

namespace tgd::lm {

Decorator::Decorator(ChatModelPtr inner) : inner_(std::move(inner)) {
  if (!inner_) throw ValueError("a model that stands before another one needs that one, but it was given none");
}

CallDecorator::CallDecorator(ChatModelPtr inner) : Decorator(std::move(inner)), edge_(std::make_unique<detail::CallEdge>()) {}

CallDecorator::~CallDecorator() = default;

Call CallDecorator::described(Request request) const { return {std::move(request), edge_->source(*this)}; }

void CallDecorator::begin(Request request, OnText on_text, Done done) {
  std::optional<Call> call;
  try {
    call.emplace(described(std::move(request)));
  } catch (...) {
    return done(std::current_exception());
  }
  auto close = [began = call->began(), done = std::move(done)](Outcome outcome) {
    Receipt receipt = outcome.receipt();
    receipt.seconds = std::chrono::steady_clock::now() - began;
    outcome.set_receipt(receipt);
    done(std::move(outcome));
  };
  start_call(*std::move(call), std::move(on_text), std::move(close));
}

void CallDecorator::start(Request request, Done done) { begin(std::move(request), {}, std::move(done)); }

void CallDecorator::start_stream(Request request, OnText on_text, Done done) {
  begin(std::move(request), std::move(on_text), std::move(done));
}

}  // namespace tgd::lm
