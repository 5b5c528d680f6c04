// What an optimizer keeps, and its form as JSON. Private to the library.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <tgd/optim.hpp>

namespace tgd::optim::detail {

struct ParameterState {
  Variable parameter;
  MomentumBuffer momentum;
};

struct GroupState {
  TGDOptions options;
  std::vector<ParameterState> parameters;
};

Json save_state(const std::vector<GroupState>& groups);
/// All or nothing; see TGD::load_state_dict.
void load_state(std::vector<GroupState>& groups, const Json& state, const std::map<std::string, lm::ChatModelPtr>& models);

}  // namespace tgd::optim::detail
