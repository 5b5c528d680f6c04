// What became of proposals: taking them, remembering those that were rejected, and going back. Private to the library.
#pragma once

#include <optional>
#include <string>

#include <tgd/optim/tgd.hpp>

#include "optim/state.hpp"

namespace tgd::optim::detail {

/// The state of a parameter after an update; the parameter itself is left alone.
ParameterState committed(ParameterState state, const ParameterUpdate& update, const TGDOptions& options, std::size_t step);

struct Rejection {
  std::string reason;
  std::optional<double> score;
  std::size_t steps;  // committed before it
};
/// The parameter has the value that the proposal was to replace.
void remember_rejected(ParameterState& state, const ParameterUpdate& update, const Rejection& rejection,
                       const TGDOptions& options);

/// The score of the present value.
void note_score(ParameterState& state, double score);

/// The step that the present value came with; 0 when the program has set it.
std::size_t step_of_present_value(const ParameterState& state);

struct Earlier {
  ParameterState state;
  std::string value;
};
/// What was before the present value was accepted. Throws StateError when the history does not tell.
Earlier before_last(const ParameterState& state);
void put_back(ParameterState& state, Earlier earlier);

}  // namespace tgd::optim::detail
