#include "optim/step.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <span>

#include <fmt/format.h>

#include "core/parallel.hpp"
#include "core/rethrow.hpp"
#include "lm/calls_in_flight.hpp"
#include "optim/checks.hpp"

namespace tgd::optim::detail {

namespace {

using Outcome = ParameterUpdate::Outcome;

/// A request for new values, for which candidate it is and of which items.
struct Job {
  std::size_t candidate;
  std::vector<std::size_t> items;
  std::unique_ptr<Rewrite> rewrite;
};

Rewrite::Siblings siblings_of(std::size_t index, const std::vector<StepItem>& items) {
  const std::size_t wanted = std::min(items[index].options->siblings, items.size() - 1);
  if (wanted == 0) return {};
  std::vector<Variable> nearest;
  for (std::size_t distance = 1; nearest.size() < wanted; ++distance) {
    if (distance <= index) nearest.push_back(items[index - distance].state->parameter);
    if (index + distance < items.size() && nearest.size() < wanted)
      nearest.push_back(items[index + distance].state->parameter);
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
  std::map<const TGDOptions*, PromptParts> parts;
  const auto requests = requests_for(items);
  for (std::size_t candidate = 0; candidate < count; ++candidate) {
    for (const std::vector<std::size_t>& indices : requests) {
      std::vector<const StepItem*> subjects;
      for (const std::size_t i : indices) subjects.push_back(&items[i]);
      Rewrite::Siblings siblings =
          subjects.front()->options->joint ? Rewrite::Siblings{} : siblings_of(indices.front(), items);
      PromptParts& own = parts.try_emplace(subjects.front()->options, *subjects.front()->options).first->second;
      jobs.push_back({candidate, indices, std::make_unique<Rewrite>(subjects, std::move(siblings), own, candidate)});
    }
  }
  return jobs;
}

/// An endpoint that found no text in a reply is no reason to fail: the model is asked again.
lm::Reply reply_of(const lm::Outcome& outcome) {
  try {
    return outcome.value();
  } catch (const LMError& error) {
    if (error.kind() == LMError::Kind::empty) return {};
    if (error.kind() == LMError::Kind::truncated) return {.finish_reason = "length"};
    throw;
  }
}

void ask_all(std::vector<Job>& jobs) {
  lm::detail::CallsInFlight<Rewrite*> calls;
  const auto ask = [&calls](Rewrite& rewrite) { calls.start(rewrite.model(), rewrite.next_request(), &rewrite); };
  for (Job& job : jobs) ask(*job.rewrite);
  for (Job& job : jobs) job.rewrite->prepare();  // in the time that the replies take
  while (calls.any()) {
    const auto [rewrite, outcome] = calls.next();
    try {
      rewrite->accept(reply_of(outcome));
      if (rewrite->asking()) ask(*rewrite);
    } catch (...) {
      tgd::detail::rethrow_with_prefix(fmt::format("TGD step, parameter \"{}\" (nothing was changed): ", rewrite->roles()));
    }
  }
}

}  // namespace

std::vector<Candidate> propose(const std::vector<StepItem>& items, std::size_t count) {
  Candidate nothing;
  for (const StepItem& item : items) {
    const std::string& value = item.state->parameter.data().text();
    nothing.updates.push_back(
        {.parameter = item.state->parameter, .outcome = Outcome::no_feedback, .old_value = value, .new_value = value});
  }
  std::vector<Candidate> candidates(count, nothing);
  std::vector<Job> jobs = jobs_for(items, count);
  ask_all(jobs);
  tgd::detail::parallel_for(jobs.size(), 8, [&](std::size_t begin, std::size_t end) {
    for (const Job& job : std::span(jobs).subspan(begin, end - begin)) {
      std::vector<ParameterUpdate> updates = job.rewrite->updates();
      for (std::size_t i = 0; i < updates.size(); ++i) candidates[job.candidate].updates[job.items[i]] = std::move(updates[i]);
    }
  });
  return candidates;
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
