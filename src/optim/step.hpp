// One optimizer step over any number of parameters: asks for all new values at once, changes nothing before all are there.
// Private to the library.
#pragma once

#include <vector>

#include <tgd/optim.hpp>

namespace tgd::optim::detail {

struct StepItem {
  Variable parameter;
  std::vector<Variable> gradients;
  MomentumBuffer* momentum;
  const TGDOptions* options;
};

/// Throws the first failed call's error with the parameter's role in front.
std::vector<ParameterUpdate> run_step(const std::vector<StepItem>& items);

/// Throws ValueError for options that cannot work.
void check_options(const TGDOptions& options);
/// Throws TypeError for a parameter that is no scalar text.
void check_parameter(const Variable& parameter);

}  // namespace tgd::optim::detail
