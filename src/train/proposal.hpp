// What a gate and a race have in common: proposals, what they would change, and how they do in the place of the present values.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tgd/optim/tgd.hpp>
#include <tgd/trainer.hpp>

namespace tgd::detail {

/// One candidate of each optimizer.
using Proposal = std::vector<optim::Candidate>;

/// Of all optimizers, in their order.
std::vector<Variable> parameters_of(const Trainee& trainee);
/// The optimizers, which all have to be TGD. Throws ValueError with `message` otherwise.
std::vector<optim::TGD*> tgd_optimizers(const Trainee& trainee, const char* message);

std::vector<optim::ParameterUpdate> updates_of(const Proposal& proposal);
/// What a proposal would make of the parameters.
std::vector<std::string> values_of(const Proposal& proposal);
bool changes_something(const Proposal& proposal);
/// Makes `rejected` of what was not taken.
void mark_rejected(std::vector<optim::ParameterUpdate>& updates, const std::string& reason);

/// The values of a proposal in the place of the parameters', while they live.
using Trials = std::vector<std::unique_ptr<const optim::TGD::Trial>>;
Trials try_out(const Proposal& proposal, const std::vector<optim::TGD*>& optimizers);

/// Sample by sample, for as many as both have; above 0 where `after` is better.
std::vector<double> gains(const std::vector<double>& before, const std::vector<double>& after, bool higher_is_better);

}  // namespace tgd::detail
