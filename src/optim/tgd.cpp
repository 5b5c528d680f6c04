#include <algorithm>

#include <fmt/format.h>

#include <tgd/optim.hpp>

#include "optim/state.hpp"
#include "optim/step.hpp"

namespace tgd::optim {

Optimizer::~Optimizer() = default;

void Optimizer::clear_grad() {
  for (Variable& parameter : parameters()) parameter.clear_grad();
}

struct TGD::Impl {
  TGDOptions defaults;
  std::vector<detail::GroupState> groups;
  std::vector<ParameterUpdate> last_updates;

  detail::ParameterState* find(const Variable& parameter) {
    for (detail::GroupState& group : groups) {
      for (detail::ParameterState& state : group.parameters) {
        if (is_same(state.parameter, parameter)) return &state;
      }
    }
    return nullptr;
  }
};

TGD::TGD(std::vector<Variable> params, TGDOptions options) : TGD({Group{std::move(params)}}, std::move(options)) {}

TGD::TGD(std::vector<Group> groups, TGDOptions defaults) : impl_(std::make_unique<Impl>()) {
  impl_->defaults = std::move(defaults);
  if (groups.empty()) throw ValueError("TGD was given no parameters");
  for (Group& group : groups) add_param_group(std::move(group));
}

TGD::~TGD() = default;

void TGD::add_param_group(Group group) {
  if (group.params.empty()) throw ValueError("a parameter group is empty: TGD needs at least one parameter in each");
  detail::GroupState added{group.options.value_or(impl_->defaults), {}};
  detail::check_options(added.options);
  for (auto parameter = group.params.begin(); parameter != group.params.end(); ++parameter) {
    const bool twice = impl_->find(*parameter) != nullptr ||
                       std::any_of(group.params.begin(), parameter, [&](const Variable& other) { return is_same(other, *parameter); });
    if (twice) throw ValueError(fmt::format("the parameter \"{}\" was given to the optimizer twice", parameter->role()));
    if (!parameter->requires_grad()) continue;
    detail::check_parameter(*parameter);
    added.parameters.push_back({*parameter, {}});
  }
  impl_->groups.push_back(std::move(added));
}

std::optional<Evaluation> TGD::step(const Closure& closure) {
  std::optional<Evaluation> result;
  if (closure) result = closure();
  std::vector<detail::StepItem> items;
  for (detail::GroupState& group : impl_->groups) {
    for (detail::ParameterState& state : group.parameters) {
      items.push_back({state.parameter, state.parameter.grad(), &state.momentum, &group.options});
    }
  }
  impl_->last_updates = detail::run_step(items);
  return result;
}

std::vector<Variable> TGD::parameters() const {
  std::vector<Variable> parameters;
  for (const detail::GroupState& group : impl_->groups) {
    for (const detail::ParameterState& state : group.parameters) parameters.push_back(state.parameter);
  }
  return parameters;
}

const std::vector<ParameterUpdate>& TGD::last_updates() const noexcept { return impl_->last_updates; }

const MomentumBuffer& TGD::momentum_buffer(const Variable& parameter) const {
  const detail::ParameterState* state = impl_->find(parameter);
  if (state == nullptr) throw ValueError(fmt::format("\"{}\" is no parameter of this optimizer", parameter.role()));
  return state->momentum;
}

Json TGD::state_dict() const { return detail::save_state(impl_->groups); }

void TGD::load_state_dict(const Json& state, const std::map<std::string, lm::ChatModelPtr>& models) {
  detail::load_state(impl_->groups, state, models);
}

std::vector<ParameterUpdate> tgd(const std::vector<Variable>& params, const std::vector<std::vector<Variable>>& gradients,
                                 std::vector<MomentumBuffer>& momentum_buffers, const TGDOptions& options) {
  if (gradients.size() != params.size() || momentum_buffers.size() != params.size()) {
    throw ValueError(fmt::format("tgd: {} parameters, {} lists of gradients and {} momentum buffers; there has to be one of each per "
                                 "parameter",
                                 params.size(), gradients.size(), momentum_buffers.size()));
  }
  detail::check_options(options);
  std::vector<detail::StepItem> items;
  for (std::size_t i = 0; i < params.size(); ++i) {
    detail::check_parameter(params[i]);
    if (std::any_of(items.begin(), items.end(), [&](const detail::StepItem& other) { return is_same(other.parameter, params[i]); })) {
      throw ValueError(fmt::format("tgd: the parameter \"{}\" was given twice", params[i].role()));
    }
    items.push_back({params[i], gradients[i], &momentum_buffers[i], &options});
  }
  return detail::run_step(items);
}

}  // namespace tgd::optim
