// Optimizers: they rewrite parameters from their textual gradients.
#pragma once

#include <tgd/optim/constraint.hpp>
#include <tgd/optim/diagnosis.hpp>
#include <tgd/optim/free_proposals.hpp>
#include <tgd/optim/optimizer.hpp>
#include <tgd/optim/tgd.hpp>
