#include "optim/step.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/rethrow.hpp"
#include "lm/calls_in_flight.hpp"
#include "optim/checks.hpp"
#include "optim/prompt/sections.hpp"

namespace tgd::optim::detail {

namespace {

using Outcome = ParameterUpdate::Outcome;

/// A request for new values: for which candidate it is, and of which items.
struct Job {
  std::size_t candidate;
  std::vector<std::size_t> items;
  std::optional<Rewrite> rewrite = {};  // from its request to its last reply
};

Rewrite::Siblings siblings_of(std::size_t index, const std::vector<StepItem>& items) {
  const std::size_t wanted = std::min(items[index].options->siblings, items.size() - 1);
  if (wanted == 0) return {};
  std::vector<Variable> nearest;
  for (std::size_t distance = 1; nearest.size() < wanted; ++distance) {
    if (distance <= index) nearest.push_back(items[index - distance].state->parameter);
    if (index + distance < items.size() && nearest.size() < wanted) nearest.push_back(items[index + distance].state->parameter);
  }
  return {std::move(nearest), items.size() - 1 - wanted};
}

/// The items that share a request: those of a joint group, else each alone. Items without feedback are in none.
std::vector<std::vector<std::size_t>> requests_for(const std::vector<StepItem>& items) {
  std::vector<std::vector<std::size_t>> requests;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (feedback_of(items[i]).empty()) continue;
    const bool joins =
        items[i].options->joint && !requests.empty() && items[requests.back().front()].options == items[i].options;
    if (!joins) requests.emplace_back();
    requests.back().push_back(i);
  }
  return requests;
}

std::vector<Job> jobs_for(const std::vector<StepItem>& items, std::size_t count) {
  std::vector<Job> jobs;
  const auto requests = requests_for(items);
  for (std::size_t candidate = 0; candidate < count; ++candidate) {
    for (const std::vector<std::size_t>& indices : requests) jobs.push_back({candidate, indices});
  }
  return jobs;
}

/// Whether the request might not fit its budget even without all that may be left out. A guess on the safe side.
bool may_be_too_large(const Job& job, const std::vector<StepItem>& items, const PromptParts& parts) {
  constexpr std::size_t least_feedback = 500;  // that is shown of each gradient
  const TGDOptions& options = *items[job.items.front()].options;
  const Prompts& prompts = options.prompts;
  std::size_t size = parts.size();
  for (const std::size_t i : job.items) {
    const Variable& parameter = items[i].state->parameter;
    size += parameter.role().size() + parameter.data().text().size();
    size += items[i].gradients.size() * (least_feedback + prompts.get("tgd_feedback_item_with_context").size());
    for (const std::string& part : frozen_parts(parameter, options))
      size += part.size() + prompts.get("tgd_constraint_frozen").size();
    for (const Constraint& constraint : options.constraints) size += constraint.variable().data().text().size();
    if (const ParameterRules* rules = rules_for(parameter, options)) size += rules->instructions.size();
  }
  for (const std::string& example : options.examples) size += example.size() + prompts.get("tgd_examples_item").size();
  for (const auto& input : options.inputs) size += input.second.variable().data().item_text().size();
  return 2 * size > options.context_budget;
}

/// A reply without a text that could be read is no reason to fail: the model is asked again.
lm::Reply reply_of(lm::Outcome outcome) {
  try {
    return std::move(outcome).value();
  } catch (const LMError& error) {
    if (error.kind() == LMError::Kind::empty || error.kind() == LMError::Kind::unreadable) return {};
    if (error.kind() == LMError::Kind::truncated) return {.finish_reason = "length"};
    if (error.kind() == LMError::Kind::filtered || error.kind() == LMError::Kind::refused)
      return {.finish_reason = "content_filter"};
    throw;
  }
}

class Step {
 public:
  Step(const std::vector<StepItem>& items, const std::vector<Aim>& aims)
      : items_(items), aims_(aims), jobs_(jobs_for(items, aims.size())) {
    Candidate candidate;
    for (const StepItem& item : items) {
      ParameterUpdate update{.parameter = item.state->parameter, .outcome = Outcome::no_feedback};
      if (feedback_of(item).empty()) update.old_value = update.new_value = update.parameter.data().text();
      candidate.updates.push_back(std::move(update));
    }
    candidates_.assign(aims.size(), candidate);
  }

  std::vector<Candidate> run() {
    ask_all();
    while (calls_.any()) {
      auto [job, outcome] = calls_.next();
      take(*job, std::move(outcome));
    }
    return std::move(candidates_);
  }

 private:
  /// Each request is sent as soon as it is written. What may fail, callbacks aside, is done before the first is sent: then
  /// nothing has been asked in vain.
  void ask_all() {
    for (Job& job : jobs_) {
      for (const std::size_t i : job.items) check_parameter(items_[i].state->parameter, *items_[i].options);
      if (may_be_too_large(job, items_, parts_of(job))) write(job);
    }
    for (Job& job : jobs_) {
      if (!job.rewrite) write(job);
      ask(job);
    }
    for (Job& job : jobs_) job.rewrite->prepare();  // in the time that the replies take
  }

  /// What several candidates are asked is written once, for the first of them.
  void write(Job& job) {
    const std::size_t of_one = jobs_.size() / candidates_.size();
    const auto alike = std::find(aims_.begin(), aims_.end(), aims_[job.candidate]) - aims_.begin();
    const std::size_t place = static_cast<std::size_t>(&job - jobs_.data()) % of_one;
    Job& first = jobs_[static_cast<std::size_t>(alike) * of_one + place];
    if (&first != &job) {
      if (!first.rewrite) write(first);
      job.rewrite.emplace(*first.rewrite, job.candidate);
      return;
    }
    std::vector<const StepItem*> subjects;
    for (const std::size_t i : job.items) subjects.push_back(&items_[i]);
    const bool is_joint = subjects.front()->options->joint;
    Rewrite::Siblings siblings = is_joint ? Rewrite::Siblings{} : siblings_of(job.items.front(), items_);
    job.rewrite.emplace(subjects, std::move(siblings), parts_of(job), aims_[job.candidate], job.candidate);
  }

  PromptParts& parts_of(const Job& job) {
    const TGDOptions& options = *items_[job.items.front()].options;
    const bool is_direct = std::all_of(job.items.begin(), job.items.end(),
                                       [&](std::size_t i) { return detail::is_direct(feedback_of(items_[i])); });
    return parts_.try_emplace({&options, is_direct}, options, is_direct).first->second;
  }

  void ask(Job& job) { calls_.start(job.rewrite->model(), job.rewrite->next_request(), &job); }

  void take(Job& job, lm::Outcome outcome) {
    try {
      job.rewrite->accept(reply_of(std::move(outcome)));
      if (job.rewrite->asking()) return ask(job);
    } catch (...) {
      tgd::detail::rethrow_with_prefix(fmt::format("TGD step, parameter \"{}\" (nothing was changed): ", job.rewrite->roles()));
    }
    std::vector<ParameterUpdate> updates = std::move(*job.rewrite).updates();
    for (std::size_t i = 0; i < updates.size(); ++i) candidates_[job.candidate].updates[job.items[i]] = std::move(updates[i]);
    job.rewrite.reset();
  }

  const std::vector<StepItem>& items_;
  const std::vector<Aim>& aims_;
  std::vector<Job> jobs_;
  std::vector<Candidate> candidates_;
  std::map<std::pair<const TGDOptions*, bool>, PromptParts> parts_;
  lm::detail::CallsInFlight<Job*> calls_;
};

}  // namespace

std::vector<Candidate> propose(const std::vector<StepItem>& items, const std::vector<Aim>& aims) {
  return Step(items, aims).run();
}

void check_options(const TGDOptions& options) {
  if (!options.model) throw ValueError("TGDOptions::model is not set: TGD needs a language model to rewrite parameters with");
  if (options.max_length_ratio && !(std::isfinite(*options.max_length_ratio) && *options.max_length_ratio > 0)) {
    throw ValueError(
        fmt::format("TGDOptions::max_length_ratio is {}; it has to be a positive number, such as 2 for at most twice the "
                    "length of the first value",
                    *options.max_length_ratio));
  }
  if (options.frozen_marks.first.empty() != options.frozen_marks.second.empty() ||
      (!options.frozen_marks.first.empty() && options.frozen_marks.first == options.frozen_marks.second)) {
    throw ValueError("TGDOptions::frozen_marks need two different texts, or two empty ones for no marks");
  }
  for (auto rules = options.rules.begin(); rules != options.rules.end(); ++rules) {
    if (rules_for(rules->parameter, options) != &*rules) {
      throw ValueError(fmt::format("TGDOptions::rules name the parameter \"{}\" twice", rules->parameter.role()));
    }
  }
  check_meta_prompt(options);
}

void check_parameter(const Variable& parameter, const TGDOptions& options) {
  if (parameter.is_batch() || !parameter.data().is_text()) {
    throw TypeError(
        fmt::format("TGD rewrites texts; the parameter \"{}\" is {}", parameter.role(), parameter.data().description()));
  }
  frozen_parts(parameter, options);
}

}  // namespace tgd::optim::detail
