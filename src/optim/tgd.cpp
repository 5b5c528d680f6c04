#include <algorithm>
#include <cmath>
#include <typeinfo>
#include <utility>

#include <fmt/format.h>

#include <tgd/optim/tgd.hpp>

#include "core/json_text.hpp"
#include "optim/checks.hpp"
#include "optim/history.hpp"
#include "optim/options.hpp"
#include "optim/prompt/sections.hpp"
#include "optim/state.hpp"
#include "optim/step.hpp"

namespace tgd::optim {

namespace {

using detail::ParameterState;
using Outcome = ParameterUpdate::Outcome;

void check_score(const std::optional<double>& score) {
  if (score && !std::isfinite(*score))
    throw ValueError(fmt::format("a score has to be a finite number; this one is {}", *score));
}

/// Throws StateError where a parameter has no longer the value that the candidate was made from.
void check_is_current(const Candidate& candidate) {
  for (const ParameterUpdate& update : candidate.updates) {
    if (update.parameter.data().text() == update.old_value) continue;
    throw StateError(
        fmt::format("the candidate is out of date: the value of \"{}\" has changed since it was proposed; propose again",
                    update.parameter.role()));
  }
}

}  // namespace

struct TGD::Impl {
  struct Place {
    ParameterState* state;
    const TGDOptions* options;
  };
  /// A parameter that the last step has changed, and what was before.
  struct Change {
    std::size_t index;  // in the order of parameters()
    ParameterState before;
  };

  TGDOptions defaults;
  detail::OptimizerState state;
  std::vector<ParameterUpdate> last_updates;
  std::vector<Change> last_changes;

  /// All parameters in their order.
  std::vector<Place> places() {
    std::vector<Place> places;
    for (detail::GroupState& group : state.groups) {
      for (ParameterState& parameter : group.parameters) places.push_back({&parameter, &group.options});
    }
    return places;
  }

  Place* find(std::vector<Place>& places, const Variable& parameter) const {
    const auto found = std::find_if(places.begin(), places.end(),
                                    [&](const Place& place) { return is_same(place.state->parameter, parameter); });
    return found == places.end() ? nullptr : &*found;
  }

  Place place_of(const Variable& parameter) {
    std::vector<Place> all = places();
    const Place* place = find(all, parameter);
    if (place == nullptr) throw ValueError(fmt::format("\"{}\" is no parameter of this optimizer", parameter.role()));
    return *place;
  }

  /// Takes back some of the last changes: all of them, or none.
  void take_back(const std::vector<const Change*>& changes, const std::string& reason, std::optional<double> score) {
    check_score(score);
    std::vector<Place> all = places();
    for (const Change* change : changes) {
      const ParameterUpdate& update = last_updates[change->index];
      if (update.parameter.data().text() == update.new_value) continue;
      throw StateError(
          fmt::format("the step cannot be taken back: the value of \"{}\" has been changed since", update.parameter.role()));
    }
    for (const Change* change : changes) {
      ParameterUpdate& update = last_updates[change->index];
      update.parameter.set_data(update.old_value);
      update.outcome = Outcome::rejected;
      update.reason = reason;
      *all[change->index].state = change->before;
      detail::remember_rejected(*all[change->index].state, update, {reason, score, state.steps}, *all[change->index].options);
    }
  }

  void forget_last_step() {
    last_updates.clear();
    last_changes.clear();
  }
};

TGD::TGD(std::vector<Variable> params, TGDOptions options) : TGD({Group{std::move(params)}}, std::move(options)) {}

TGD::TGD(std::vector<Group> groups, TGDOptions defaults) : impl_(std::make_unique<Impl>()) {
  impl_->defaults = std::move(defaults);
  if (groups.empty()) throw ValueError("TGD was given no parameters");
  for (Group& group : groups) add_param_group(std::move(group));
  if (parameters().empty()) {
    throw ValueError("TGD was given nothing to optimize: none of its parameters requires grad (Variable::set_requires_grad)");
  }
}

TGD::~TGD() = default;

void TGD::add_param_group(Group group) {
  if (group.params.empty()) throw ValueError("a parameter group is empty: TGD needs at least one parameter in each");
  detail::GroupState added{detail::over_defaults(impl_->defaults, std::move(group.options)), {}};
  detail::check_options(added.options);
  std::vector<Impl::Place> present = impl_->places();
  for (auto parameter = group.params.begin(); parameter != group.params.end(); ++parameter) {
    const bool twice =
        impl_->find(present, *parameter) != nullptr ||
        std::any_of(group.params.begin(), parameter, [&](const Variable& other) { return is_same(other, *parameter); });
    if (twice) throw ValueError(fmt::format("the parameter \"{}\" was given to the optimizer twice", parameter->role()));
    if (!parameter->requires_grad()) continue;
    detail::check_parameter(*parameter, added.options);
    added.parameters.push_back({.parameter = *parameter});
  }
  impl_->state.groups.push_back(std::move(added));
  impl_->forget_last_step();
}

std::optional<Evaluation> TGD::step(const Closure& closure) {
  std::optional<Evaluation> result;
  if (closure) result = closure();
  commit(std::move(propose(1).front()));
  return result;
}

std::vector<Candidate> TGD::propose(std::size_t count) { return propose(std::vector<Aim>(count, Aim::any)); }

std::vector<Candidate> TGD::propose(const std::vector<Aim>& aims) {
  // They may have been changed since the last step.
  for (const detail::GroupState& group : impl_->state.groups) detail::check_options(group.options);
  std::vector<detail::StepItem> items;
  for (const Impl::Place& place : impl_->places()) items.push_back({place.state, place.state->parameter.grad(), place.options});
  return detail::propose(items, aims);
}

std::vector<Aim> TGD::aims() const {
  const std::vector<Impl::Place> places = impl_->places();
  std::vector<Aim> aims;
  for (const Aim aim : {Aim::form, Aim::confusion, Aim::rule, Aim::shorter}) {
    const bool is_asked_for = std::any_of(places.begin(), places.end(), [&](const Impl::Place& place) {
      return detail::asks_for(aim, place.state->parameter.grad(), *place.options);
    });
    if (is_asked_for) aims.push_back(aim);
  }
  return aims;
}

Candidate TGD::suggest(const std::vector<Suggestion>& values) const {
  for (const Suggestion& suggestion : values) {
    impl_->place_of(suggestion.parameter);
    if (!suggestion.value.ends_with(suggestion.kept))
      throw ValueError(fmt::format("TGD::suggest: the value for \"{}\" does not end with the part that is to be kept",
                                   suggestion.parameter.role()));
  }
  Candidate candidate;
  for (const Impl::Place& place : impl_->places()) {
    const Variable& parameter = place.state->parameter;
    const std::string& old_value = parameter.data().text();
    ParameterUpdate update{
        .parameter = parameter, .outcome = Outcome::no_feedback, .old_value = old_value, .new_value = old_value};
    const auto given = std::find_if(values.begin(), values.end(),
                                    [&](const Suggestion& suggestion) { return is_same(suggestion.parameter, parameter); });
    if (given != values.end() && given->value == old_value) update.outcome = Outcome::unchanged;
    if (given != values.end() && given->value != old_value) {
      if (auto problem = detail::Checks(*place.state, *place.options).problem(given->value)) {
        update.outcome = Outcome::kept;
        update.reason = problem->reason;
        update.problems.push_back(*std::move(problem));
      } else {
        update.outcome = Outcome::updated;
        update.new_value = given->value;
        update.edit_distance = detail::WordDistance(old_value).to(given->value);
        update.kept = given->kept;
      }
    }
    candidate.updates.push_back(std::move(update));
  }
  return candidate;
}

void TGD::commit(Candidate candidate) {
  const std::vector<Impl::Place> places = impl_->places();
  const bool fits =
      candidate.updates.size() == places.size() &&
      std::equal(places.begin(), places.end(), candidate.updates.begin(),
                 [](const auto& place, const auto& update) { return is_same(place.state->parameter, update.parameter); });
  if (!fits) throw StateError("the candidate is not for the parameters that this optimizer has now; propose again");
  check_is_current(candidate);

  std::vector<Impl::Change> changes;  // `before` holds what is to come until it is exchanged
  for (std::size_t i = 0; i < places.size(); ++i) {
    const ParameterUpdate& update = candidate.updates[i];
    if (update.outcome != Outcome::updated) continue;
    changes.push_back({i, detail::committed(*places[i].state, update, *places[i].options, impl_->state.steps + 1)});
  }
  for (Impl::Change& change : changes) {
    candidate.updates[change.index].parameter.set_data(candidate.updates[change.index].new_value);
    std::swap(*places[change.index].state, change.before);
  }
  if (!changes.empty()) ++impl_->state.steps;
  impl_->last_updates = std::move(candidate.updates);
  impl_->last_changes = std::move(changes);
}

TGD::Trial::Trial(const Candidate& candidate) {
  for (const ParameterUpdate& update : candidate.updates) {
    if (update.outcome != Outcome::updated) continue;
    own_.emplace_back(update.parameter, update.parameter.data());
    own_.back().first.set_data(update.new_value);
  }
}

TGD::Trial::~Trial() {
  for (auto& [parameter, value] : own_) parameter.set_data(std::move(value));
}

TGD::Trial TGD::try_out(const Candidate& candidate) const {
  check_is_current(candidate);
  return Trial(candidate);
}

void TGD::report_score(double score) {
  check_score(score);
  for (const Impl::Place& place : impl_->places()) detail::note_score(*place.state, score);
}

void TGD::report_score(const Variable& parameter, double score) {
  check_score(score);
  detail::note_score(*impl_->place_of(parameter).state, score);
}

void TGD::reject(const std::string& reason, std::optional<double> score) {
  if (impl_->last_changes.empty())
    throw StateError("there is nothing to reject: the last step changed no parameter, or was taken back");
  std::vector<const Impl::Change*> changes;
  for (const Impl::Change& change : impl_->last_changes) changes.push_back(&change);
  --impl_->state.steps;
  try {
    impl_->take_back(changes, reason, score);
  } catch (...) {
    ++impl_->state.steps;
    throw;
  }
  impl_->last_changes.clear();
}

void TGD::reject(const Variable& parameter, const std::string& reason, std::optional<double> score) {
  impl_->place_of(parameter);
  const auto change = std::find_if(impl_->last_changes.begin(), impl_->last_changes.end(),
                                   [&](const Impl::Change& other) { return is_same(other.before.parameter, parameter); });
  if (change == impl_->last_changes.end()) {
    throw StateError(
        fmt::format("there is nothing to reject: the last step did not change \"{}\", or was taken back", parameter.role()));
  }
  if (impl_->last_changes.size() == 1) return reject(reason, score);
  impl_->take_back({&*change}, reason, score);
  impl_->last_changes.erase(change);
}

void TGD::reject(const Candidate& candidate, const std::string& reason, std::optional<double> score) {
  check_score(score);
  std::vector<Impl::Place> places;
  for (const ParameterUpdate& update : candidate.updates) places.push_back(impl_->place_of(update.parameter));
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (candidate.updates[i].outcome != Outcome::updated) continue;
    detail::remember_rejected(*places[i].state, candidate.updates[i], {reason, score, impl_->state.steps}, *places[i].options);
  }
}

std::vector<HistoryEntry> TGD::history(const Variable& parameter) const {
  std::vector<HistoryEntry> entries;
  for (const detail::UndoableEntry& record : impl_->place_of(parameter).state->history) entries.push_back(record.entry);
  return entries;
}

void TGD::undo(const Variable& parameter) {
  const Impl::Place place = impl_->place_of(parameter);
  detail::put_back(*place.state, detail::before_last(*place.state));
  impl_->forget_last_step();
}

void TGD::undo() {
  std::size_t latest = 0;
  for (const Impl::Place& place : impl_->places()) latest = std::max(latest, detail::step_of_present_value(*place.state));
  if (latest == 0) throw StateError("there is nothing to undo: no parameter has a value that a step has given it");
  std::vector<std::pair<ParameterState*, detail::Earlier>> earlier;
  for (const Impl::Place& place : impl_->places()) {
    if (detail::step_of_present_value(*place.state) == latest)
      earlier.emplace_back(place.state, detail::before_last(*place.state));
  }
  for (auto& [state, before] : earlier) detail::put_back(*state, std::move(before));
  impl_->forget_last_step();
}

std::vector<Variable> TGD::parameters() const {
  std::vector<Variable> parameters;
  for (const Impl::Place& place : impl_->places()) parameters.push_back(place.state->parameter);
  return parameters;
}

std::vector<TGD::ParamGroup> TGD::param_groups() {
  std::vector<ParamGroup> groups;
  for (detail::GroupState& group : impl_->state.groups) {
    groups.push_back({{}, group.options});
    for (const ParameterState& state : group.parameters) groups.back().params.push_back(state.parameter);
  }
  return groups;
}

const TGDOptions& TGD::defaults() const noexcept { return impl_->defaults; }

const std::vector<ParameterUpdate>& TGD::last_updates() const noexcept { return impl_->last_updates; }

const MomentumBuffer& TGD::momentum_buffer(const Variable& parameter) const {
  return impl_->place_of(parameter).state->momentum;
}

const TGDOptions& TGD::options(const Variable& parameter) const { return *impl_->place_of(parameter).options; }

Json TGD::saved_groups() const { return detail::save_param_groups(impl_->state); }

Json TGD::state_dict() const { return detail::save_state(impl_->state); }

void TGD::append_state(std::string& text) const {
  // A derived class may have a state_dict() of its own.
  typeid(*this) == typeid(TGD) ? detail::append_state(text, impl_->state)
                               : tgd::detail::append_json(text, state_dict().value());
}

void TGD::load_state_dict(const Json& state, const std::map<std::string, lm::ChatModelPtr>& models) {
  detail::load_state(impl_->state, state, models);
  impl_->forget_last_step();
}

std::vector<ParameterUpdate> tgd(const std::vector<Variable>& params, const std::vector<std::vector<Variable>>& gradients,
                                 std::vector<MomentumBuffer>& momentum_buffers, const TGDOptions& options) {
  if (gradients.size() != params.size() || momentum_buffers.size() != params.size()) {
    throw ValueError(
        fmt::format("tgd: {} parameters, {} lists of gradients and {} momentum buffers; there has to be one of each per "
                    "parameter",
                    params.size(), gradients.size(), momentum_buffers.size()));
  }
  detail::check_options(options);
  std::vector<ParameterState> states;
  for (std::size_t i = 0; i < params.size(); ++i) {
    detail::check_parameter(params[i], options);
    if (std::any_of(states.begin(), states.end(),
                    [&](const ParameterState& other) { return is_same(other.parameter, params[i]); })) {
      throw ValueError(fmt::format("tgd: the parameter \"{}\" was given twice", params[i].role()));
    }
    states.push_back({.parameter = params[i], .momentum = momentum_buffers[i]});
  }
  std::vector<detail::StepItem> items;
  for (std::size_t i = 0; i < params.size(); ++i) items.push_back({&states[i], gradients[i], &options});
  std::vector<ParameterUpdate> updates = detail::propose(items, {Aim::any}).front().updates;
  for (std::size_t i = 0; i < updates.size(); ++i) {
    if (updates[i].outcome == Outcome::updated) states[i] = detail::committed(states[i], updates[i], options, 1);
  }
  for (std::size_t i = 0; i < updates.size(); ++i) {
    if (updates[i].outcome == Outcome::updated) updates[i].parameter.set_data(updates[i].new_value);
    momentum_buffers[i] = std::move(states[i].momentum);
  }
  return updates;
}

}  // namespace tgd::optim
