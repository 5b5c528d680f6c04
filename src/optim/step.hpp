// One optimizer step over any number of parameters: asks for all new values at once and changes nothing; what it found is taken
// by commit(). Private to the library.
#pragma once

#include <string>
#include <vector>

#include <tgd/optim/tgd.hpp>

#include "optim/reply/rewrite.hpp"
#include "optim/state.hpp"

namespace tgd::optim::detail {

/// A candidate for each aim. Throws the first failed call's error with the parameter's role in front.
std::vector<Candidate> propose(const std::vector<StepItem>& items, const std::vector<Aim>& aims);

/// Throws ValueError for options that cannot work.
void check_options(const TGDOptions& options);
/// Throws TypeError for a parameter that is no scalar text, and ValueError for frozen parts that it does not have.
void check_parameter(const Variable& parameter, const TGDOptions& options);

}  // namespace tgd::optim::detail
