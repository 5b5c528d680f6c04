// Feedback texts on their way through the graph. Private to the library.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <tgd/autograd.hpp>

#include "core/role.hpp"

namespace tgd::detail {

/// Several gradients of one output as one: texts joined as <ITEM>…</ITEM>, position by position where some are lists (a scalar
/// means every item). Empty ones are left out.
Variable join_gradients(std::span<const Variable> gradients);

/// The gradient as its receiver gets it: with the role "feedback to <role>", and with the sentence that says where it came from
/// if it was forwarded.
Variable receive_gradient(const Variable& gradient, const Role& receiver);

}  // namespace tgd::detail
