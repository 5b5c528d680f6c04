#include "optim/step.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/rethrow.hpp"
#include "lm/calls_in_flight.hpp"
#include "optim/meta_prompt.hpp"
#include "optim/reply.hpp"

namespace tgd::optim::detail {

namespace {

using Outcome = ParameterUpdate::Outcome;

/// The rewriting of one parameter: the conversation about it and what came of it.
class Rewrite {
 public:
  Rewrite(const StepItem& item) : item_(item), update_{item.parameter, Outcome::no_feedback, item.parameter.data().text(), {}} {
    update_.new_value = update_.old_value;
    std::copy_if(item.gradients.begin(), item.gradients.end(), std::back_inserter(gradients_),
                 [](const Variable& gradient) { return !feedback_text(gradient).empty(); });
    if (gradients_.empty()) return;
    constraints_ = constraints_of(item.parameter, *item.options);
    messages_ = meta_prompt({item.parameter, gradients_, constraints_, item.momentum, item.options});
    asking_ = true;
  }

  bool asking() const noexcept { return asking_; }
  lm::ChatModel& model() const { return *item_.options->model; }

  lm::Request next_request() {
    ++update_.requests;
    lm::Request request{messages_, item_.options->completion_args};
    request.info = {"optimize", "TGD", update_.parameter.role(), std::nullopt};
    return request;
  }

  void accept(const lm::Reply& reply) {
    const auto read = read_value(reply, update_.old_value);
    std::string reason;
    if (const auto* value = std::get_if<std::string>(&read)) {
      const std::optional<std::string> problem = violation(*value);
      if (!problem) return take(*value);
      reason = problem->empty() ? "The value violates a constraint." : *problem;
    } else {
      reason = std::get<Unusable>(read).reason;
    }
    if (update_.requests > item_.options->max_reasks) return keep(std::move(reason));
    for (lm::Message& message : reask(reply.content, reason, *item_.options)) messages_.push_back(std::move(message));
  }

  ParameterUpdate& update() noexcept { return update_; }

  void commit() {
    if (update_.outcome != Outcome::updated) return;
    MomentumBuffer& momentum = *item_.momentum;
    if (item_.options->momentum > 0) momentum.push_back({item_.parameter.detach(), gradients_});
    while (momentum.size() > item_.options->momentum) momentum.erase(momentum.begin());
    update_.parameter.set_data(update_.new_value);
  }

 private:
  std::optional<std::string> violation(const std::string& value) const {
    for (const Constraint& constraint : constraints_) {
      if (auto problem = constraint.violation(value)) return problem;
    }
    return std::nullopt;
  }

  void take(const std::string& value) {
    asking_ = false;
    update_.new_value = value;
    update_.outcome = value == update_.old_value ? Outcome::unchanged : Outcome::updated;
  }

  void keep(std::string reason) {
    asking_ = false;
    update_.outcome = Outcome::kept;
    update_.reason = fmt::format("no usable reply in {} requests; the last one: {}", update_.requests, reason);
  }

  const StepItem& item_;
  ParameterUpdate update_;
  std::vector<Variable> gradients_;
  std::vector<Constraint> constraints_;
  std::vector<lm::Message> messages_;
  bool asking_ = false;
};

void ask_all(std::vector<Rewrite>& rewrites) {
  lm::detail::CallsInFlight<Rewrite*> calls;
  const auto ask = [&calls](Rewrite& rewrite) { calls.start(rewrite.model(), rewrite.next_request(), &rewrite); };
  for (Rewrite& rewrite : rewrites) {
    if (rewrite.asking()) ask(rewrite);
  }
  while (calls.any()) {
    const auto [rewrite, outcome] = calls.next();
    try {
      rewrite->accept(outcome.value());
      if (rewrite->asking()) ask(*rewrite);
    } catch (...) {
      tgd::detail::rethrow_with_prefix(fmt::format("TGD step, parameter \"{}\" (nothing was changed): ", rewrite->update().parameter.role()));
    }
  }
}

}  // namespace

void check_options(const TGDOptions& options) {
  if (!options.model) throw ValueError("TGDOptions::model is not set: TGD needs a language model to rewrite parameters with");
  check_meta_prompt(options);
}

void check_parameter(const Variable& parameter) {
  if (parameter.is_batch() || !parameter.data().is_text()) {
    throw TypeError(fmt::format("TGD rewrites texts; the parameter \"{}\" is {}", parameter.role(), parameter.data().description()));
  }
}

std::vector<ParameterUpdate> run_step(const std::vector<StepItem>& items) {
  std::vector<Rewrite> rewrites;
  rewrites.reserve(items.size());
  for (const StepItem& item : items) rewrites.emplace_back(item);
  ask_all(rewrites);
  std::vector<ParameterUpdate> updates;
  for (Rewrite& rewrite : rewrites) rewrite.commit();
  for (Rewrite& rewrite : rewrites) updates.push_back(std::move(rewrite.update()));
  return updates;
}

}  // namespace tgd::optim::detail
